"""Whole commands of ganblocks, each in a process of its own, and a run for those that read one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.workloads import registry
from ganblocks.recipe import read_recipe
from ganblocks.training.launch import run

ROOT = Path(__file__).parents[1]
IMAGES = 4
"""Of a run that is there to be read."""


def python(*arguments: str, **variables: str) -> str:
    """Run Python at the top of this repository, with more environment variables; return what it prints.

    Bytecode is kept, as it is by default. Raise RuntimeError if the process fails.
    """
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=kept | variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def ganblocks(*arguments: str, **variables: str) -> str:
    """Run a command of ganblocks, and return what it prints."""
    return python("-m", "ganblocks", *arguments, **variables)


def short_run(recipe: Path, folder: Path, changes: Mapping[str, Any]) -> Path:
    """Train a recipe for a step or a few, without scores, and return the run folder."""
    run(read_recipe(recipe, {"training.images": IMAGES, **changes}, registry=registry()), folder, "cpu", registry=registry())
    return folder
