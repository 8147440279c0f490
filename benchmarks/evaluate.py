"""``ganblocks evaluate`` with the five usual metrics, with and without features of real images from an earlier evaluation."""

from __future__ import annotations

import shutil
import tempfile
from itertools import count
from pathlib import Path

from benchmarks.commands import ganblocks, short_run
from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread, alternate, ratio
from benchmarks.workloads import MAIN_RECIPE, TOY_WIDTH, toy_changes

METRICS = ("kernel", "frechet", "precision_recall", "density_coverage", "inception_score")
"""Those of a recipe that names none."""
SAMPLES, TOY_SAMPLES = 1_000, 20
ROUNDS = 4
NOTE = (
    "The whole command `ganblocks evaluate` on a run of recipes/sagan.toml, in a process of its own: kernel, frechet, "
    "precision_recall, density_coverage and inception_score, with controls, on features of EfficientNet-Lite0. Features of "
    "real images and of noise are kept in the user's cache folder: *first* begins with an empty one, *again* with a filled "
    "one."
)


def measure(settings: Settings) -> Result:
    """Time the command with an empty and with a filled cache, in turn."""
    with tempfile.TemporaryDirectory() as name:
        run = short_run(MAIN_RECIPE, Path(name) / "run", toy_changes(TOY_WIDTH) if settings.toy else {})
        command = Command(run, Path(name) / "caches", TOY_SAMPLES if settings.toy else SAMPLES)
        first, again = (f"{command.samples:,} samples, {which}" for which in ("first", "again"))
        warm_up = int(not settings.toy)
        times = alternate({first: command.first, again: command.again}, settings.rounds(ROUNDS, toy=1), warm_up)
    values = {name: Spread.of(seconds) for name, seconds in times.items()}
    return Result([Row(first, "s", values[first]), Row(again, "s", values[again], ratio(times, again, first), first)], NOTE)


class Command:
    """The command on a run, with caches in a folder."""

    def __init__(self, run: Path, caches: Path, samples: int) -> None:
        self.run, self.caches, self.samples = run, caches, samples
        self._numbers, self._filled = count(), caches

    def first(self) -> None:
        """Evaluate with an empty cache."""
        shutil.rmtree(self._filled, ignore_errors=True)
        self._filled = self.caches / str(next(self._numbers))
        self._evaluate()
        assert any(self._filled.rglob("*.safetensors")), "the command fills the user's cache"

    def again(self) -> None:
        """Evaluate with the cache that the latest :meth:`first` has filled."""
        self._evaluate()

    def _evaluate(self) -> None:
        metrics = [argument for metric in METRICS for argument in ("--metric", metric)]
        ganblocks(
            "evaluate", str(self.run), "--n", str(self.samples), *metrics, "--device", "cpu", GANBLOCKS_CACHE=str(self._filled)
        )
