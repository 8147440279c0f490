"""The machine and the versions behind a result."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CODE = ("ganblocks", "plugins", "benchmarks", "recipes")


def machine() -> dict[str, Any]:
    """Return the processor's model, the cores that this process may use, and the memory in GB."""
    return {"cpu": _cpu(), "cores": cores(), "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)}


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Return the versions of Python, torch and ganblocks, the last as a commit."""
    import torch

    return {"Python": platform.python_version(), "torch": torch.__version__, "ganblocks": commit()}


def commit(name: str = "HEAD") -> str:
    """Return a commit's short name, with ``+`` for a HEAD that the code differs from; ``unknown`` without a repository."""
    short = _git("rev-parse", "--short=7", name)
    changed = name == "HEAD" and _git(
        "status", "--porcelain", "--untracked-files=no", "--", "ganblocks", "plugins", "benchmarks"
    )
    return (short or "unknown") + ("+" if changed else "")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _cpu() -> str:
    """Return the processor's name, from Linux's list or else from the platform."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
