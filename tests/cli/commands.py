"""Running ganblocks as a user does: another process, its exit code, and what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]

TINY = {
    "data.use": '"digits"',
    "generator.width": "8",
    "generator.multipliers": "[1, 1]",
    "generator.attention_at": "[8]",
    "discriminator.width": "8",
    "discriminator.multipliers": "[1, 1]",
    "discriminator.halvings": "1",
    "discriminator.attention_at": "[4]",
    "training.images": "64",
    "training.batch": "8",
    "training.precision": '"fp32"',
    "evaluation.n": "8",
}
"""recipes/sagan.toml on the 8-pixel digits, for a second's training."""


def tiny(**more: str) -> list[str]:
    """``--set`` options that make recipes/sagan.toml tiny."""
    return [part for path, value in {**TINY, **more}.items() for part in ("--set", f"{path}={value}")]


def ganblocks(
    *arguments: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", **(environment or {})}
    command = [sys.executable, "-m", "ganblocks", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False, timeout=300)
