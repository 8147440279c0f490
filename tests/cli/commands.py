"""Running ganblocks as a user does: another process, its exit code, and what it printed.

The processes are forks of one that has imported torch and other large libraries and done nothing else. Importing them takes
seconds each time, and a fork of the tests' own process would hang wherever that has used threads before.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import torch

from ganblocks.cli import main

ROOT = Path(__file__).parents[2]
PATIENCE = 300
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["torch", "torchvision", "scipy.linalg", "scipy.stats", "matplotlib.pyplot", "ganblocks.cli"])

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
    "training.report": "false",
    "evaluation.n": "8",
}
"""recipes/sagan.toml on the 8-pixel digits, for a second's training."""


def tiny(**more: str) -> list[str]:
    """``--set`` options that make recipes/sagan.toml tiny."""
    return [part for path, value in {**TINY, **more}.items() for part in ("--set", f"{path}={value}")]


def ganblocks(
    *arguments: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as a user does."""
    words = list(map(str, arguments))
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = FORKS.Process(target=_be, args=(words, cwd, dict(environment or {}), out, err))
        process.start()
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
        texts = [file.read_text(errors="replace") if file.exists() else "" for file in (out, err)]
    assert process.exitcode is not None
    return subprocess.CompletedProcess(["ganblocks", *words], process.exitcode, *texts)


def _be(words: list[str], cwd: Path, environment: Mapping[str, str], out: Path, err: Path) -> NoReturn:
    """In the child: be what ``python -m ganblocks`` is, and never come back."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for name, number in ((out, 1), (err, 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
        sys.stdin = open(os.devnull)  # noqa: SIM115
        sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
        os.chdir(cwd)
        os.environ |= {"OMP_NUM_THREADS": "1", "NO_COLOR": "1", **environment}
        sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
        torch.set_num_threads(1)
        _as_python_warns()
        code = main(words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _as_python_warns() -> None:
    """pytest has its own filters of warnings; these are Python's."""
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
