"""What short commands take from start to end, beside the import of torch alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.commands import ganblocks, python, short_run
from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread, alternate, ratio
from benchmarks.workloads import MAIN_RECIPE, TOY_WIDTH, toy_changes

ROUNDS = 7
IMPORT = "import torch"
NOTE = (
    "Whole commands, each in a process of its own; files are in the system's cache and compiled to bytecode. `sample` reads "
    "a run of recipes/sagan.toml and writes a grid of 64."
)


def measure(settings: Settings) -> Result:
    """Time the commands in turn."""
    with tempfile.TemporaryDirectory() as name:
        run = short_run(MAIN_RECIPE, Path(name) / "run", toy_changes(TOY_WIDTH) if settings.toy else {})
        steps = {IMPORT: partial(python, "-c", IMPORT)} | commands(run)
        times = alternate(steps, settings.rounds(ROUNDS, toy=1), warm_up=int(not settings.toy))
    rows = [Row(IMPORT, value=Spread.of(times[IMPORT]))]
    rows += [Row(f"`{name}`", "s", Spread.of(times[name]), ratio(times, name, IMPORT), IMPORT) for name in list(times)[1:]]
    return Result(rows, NOTE)


def commands(run: Path) -> dict[str, Callable[[], object]]:
    """Return what a user types -> the command, for a run."""
    return {
        "ganblocks --help": partial(ganblocks, "--help"),
        "ganblocks list": partial(ganblocks, "list"),
        "ganblocks show attention self_attention": partial(ganblocks, "show", "attention", "self_attention"),
        "ganblocks check recipes/sagan.toml": partial(ganblocks, "check", str(MAIN_RECIPE)),
        "ganblocks sample RUN --n 64": partial(ganblocks, "sample", str(run), "--n", "64", "--out", str(run / "grid.png")),
    }
