"""Running the cells of a study: each a process of its own, so that one that dies takes no other with it.

``cells/VARIANT/seed-S/`` is a run folder like any other. A cell counts once ``seed-S.json`` stands beside it, which is written
last and holds all that the table reads: a cell that was killed has none, and is run again.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from filelock import FileLock, Timeout

from ganblocks.devices import pick_device
from ganblocks.errors import CheckpointError, UsageError
from ganblocks.evaluation import Report, kept
from ganblocks.files import write_text
from ganblocks.recipe import write_recipe
from ganblocks.registry import Registry
from ganblocks.study.plan import Cell, Plan
from ganblocks.training.checkpoint import latest
from ganblocks.training.launch import resolved
from ganblocks.training.run_folder import LOCK, RECIPE, read_metrics
from ganblocks.training.stopping import StopRequest

DIVERGED = 4
"""Exit code of a run whose numbers were no longer finite."""
POLL = 0.05
"""Seconds between looks at the running cells."""


@frozen
class Result:
    """A cell that has ended: it has finished, or it has diverged, which is a result too."""

    variant: str
    seed: int
    diverged: bool
    step_seconds: float | None
    """The median step."""
    reports: tuple[Report, ...]
    """One per scored moment, by images seen; empty where it diverged."""
    step_images: float | None = None
    """Real images that the median step saw: a batch for each turn of the discriminator, or as the update rule draws them."""

    def plain(self) -> dict[str, Any]:
        reports = [report.plain() for report in self.reports]
        steps = {"step_seconds": self.step_seconds, "step_images": self.step_images}
        return {"diverged": self.diverged, **steps, "reports": reports}


@frozen
class Place:
    """Where a study keeps its cells."""

    folder: Path

    def run(self, cell: Cell) -> Path:
        return self.folder / "cells" / cell.variant.name / f"seed-{cell.seed}"

    def result(self, cell: Cell) -> Path:
        return self.run(cell).with_suffix(".json")

    def log(self, cell: Cell) -> Path:
        return self.run(cell).with_suffix(".log")

    def recipe(self, name: str) -> Path:
        return self.folder / "recipes" / f"{name}.toml"

    @property
    def features(self) -> Path:
        """Features of real images, which all cells share."""
        return self.folder / "features"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Raises UsageError where another study runs in this folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", blocking=False)
        lock.acquire()
    except Timeout as error:
        raise UsageError(f"{folder}: another ganblocks ablate is at work here; wait, or name another --out") from error
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}; name another --out") from error
    try:
        yield
    finally:
        lock.release()


def result_of(cell: Cell, place: Place) -> Result | None:
    """What a finished cell has found; None where it is not finished.

    Raises:
        UsageError: it has run another recipe.
        CheckpointError: the file is damaged.

    """
    path = place.result(cell)
    if not path.is_file():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        digest, plain = facts["recipe"], facts["result"]
        reports = tuple(Report.of(report) for report in plain["reports"])
        images = plain.get("step_images")  # older versions did not say it
        result = Result(cell.variant.name, cell.seed, plain["diverged"], plain["step_seconds"], reports, images)
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); remove it, and the cell is run again") from error
    if digest != cell.variant.digest:
        rule = "this cell has run another recipe than the one that is asked for now"
        raise UsageError(f"{path}: {rule}; name another --out, or remove {place.run(cell).parent}")
    return result


@define(eq=False)
class Runner:
    """Runs the cells that are missing.

    Args:
        place: where.
        options: what stands between ``ganblocks`` and ``run`` (``-p`` and its like).
        device: for every cell.
        jobs: how many cells at once; each gets its share of the processor's cores.
        say: told what happens.
        registry: what names mean.
    """

    place: Place
    options: Sequence[str]
    device: str
    jobs: int
    say: Callable[[str], None]
    registry: Registry
    _failed: list[Cell] = field(factory=list, init=False)

    def run(self, plan: Plan, stop: StopRequest) -> list[Cell]:
        """Run what is missing; returns the cells that failed. A stop ends those that are at work, which then do not count."""
        for variant in plan.variants:
            self.place.recipe(variant.name).parent.mkdir(parents=True, exist_ok=True)
            write_text(self.place.recipe(variant.name), variant.text)
        cells = list(plan.cells())
        waiting = [cell for cell in cells if result_of(cell, self.place) is None]
        self.say(f"{len(cells)} cells: {len(cells) - len(waiting)} finished before, {len(waiting)} to run")
        working: dict[subprocess.Popen[bytes], tuple[Cell, float]] = {}
        try:
            while (waiting or working) and not stop:
                while waiting and len(working) < self.jobs:
                    cell = waiting.pop(0)
                    working[self._start(cell)] = cell, time.monotonic()
                for process in [each for each in working if each.poll() is not None]:
                    self._end(*working.pop(process), process.returncode)
                time.sleep(POLL)
        finally:
            _terminate(working)
        return self._failed

    def _start(self, cell: Cell) -> subprocess.Popen[bytes]:
        """Go on with a cell that was stopped, which changes no bit of its result; else a fresh run in an empty folder."""
        folder = self.place.run(cell)
        _refuse_at_work(folder)
        if not self._goes_on(cell):
            shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with self.place.log(cell).open("ab") as log:
            # in a session of its own: a terminal's Ctrl-C does not reach it, so that it is asked to stop once, by us, and saves
            return subprocess.Popen(  # noqa: S603
                self.command(cell), stdout=log, stderr=log, env=_environment(self.jobs), start_new_session=True
            )

    def command(self, cell: Cell) -> list[str]:
        """What one would type to run this cell, or to go on with it."""
        folder = str(self.place.run(cell))
        fresh = [
            "run",
            str(self.place.recipe(cell.variant.name)),
            "--seed",
            str(cell.seed),
            "--device",
            self.device,
            "--out",
            folder,
        ]
        chosen = ["resume", folder] if self._goes_on(cell) else fresh
        return [
            sys.executable,
            "-m",
            "ganblocks",
            *self.options,
            *chosen,
            "--feature-cache",
            str(self.place.features),
            "--quiet",
        ]

    def _goes_on(self, cell: Cell) -> bool:
        """Whether the cell's folder holds a good checkpoint of the very recipe, its precision settled for this device."""
        folder = self.place.run(cell)
        wanted = resolved(cell.variant.recipe, pick_device(self.device))
        try:
            latest(folder)
            return (folder / RECIPE).read_text(encoding="utf-8") == write_recipe(wanted, self.registry)
        except (CheckpointError, OSError, UnicodeDecodeError):
            return False

    def _end(self, cell: Cell, started: float, code: int) -> None:
        seconds = time.monotonic() - started
        try:
            if code not in (0, DIVERGED):
                raise CheckpointError(f"exit code {code}; see {self.place.log(cell)}")
            result = _result(cell, self.place.run(cell), diverged=code == DIVERGED)
            facts = {"recipe": cell.variant.digest, "seed": cell.seed, "seconds": round(seconds, 1), "result": result.plain()}
            write_text(self.place.result(cell), json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        except (CheckpointError, OSError) as error:
            self._failed.append(cell)
            self.say(f"{cell.name}: failed: {error}")
            return
        self.say(f"{cell.name}: {'diverged' if result.diverged else _leading(result)} ({seconds:.0f} s)")


def _refuse_at_work(folder: Path) -> None:
    """Raises UsageError where the cell of a study that was killed has outlived it."""
    if not (folder / LOCK).exists():
        return
    try:
        with FileLock(folder / LOCK, blocking=False):
            return
    except Timeout as error:
        raise UsageError(
            f"{folder}: a process still trains here, left over from a study that was killed; stop it first"
        ) from error


def _result(cell: Cell, run: Path, diverged: bool) -> Result:
    """What a run that has ended has found. Raises CheckpointError where its last score is not that of its end."""
    name, seed = cell.variant.name, cell.seed
    records = read_metrics(run)
    seconds = _median_step([record["seconds"] for record in records])
    images = _median_step([0, *(record["images"] for record in records)])
    if diverged:
        return Result(name, seed, True, seconds, (), images)
    reports = tuple(sorted(kept(run), key=lambda report: report.images))
    if not reports or reports[-1].images < cell.variant.recipe.training.images:
        raise CheckpointError(f"{run}: no score of its end")
    return Result(name, seed, False, seconds, reports, images)


def _median_step(values: Sequence[float]) -> float | None:
    steps = [after - before for before, after in pairwise(values)]
    return statistics.median(steps) if steps else None


def _leading(result: Result) -> str:
    """The first score of the end, and a word where it says that the run is not worth comparing."""
    last = result.reports[-1]
    numbers = (f"{score.name} {score.value:.4g}" for score in last.scores)
    return next(numbers, "no score") + ("; no better than noise" if last.untrained() else "")


def _environment(jobs: int) -> Mapping[str, str]:
    """Cells at work together share the cores; without it each would take all of them, and all would crawl."""
    share = max((os.cpu_count() or 1) // jobs, 1)
    return {**os.environ, **({"OMP_NUM_THREADS": str(share)} if jobs > 1 else {})}


def _terminate(working: Mapping[subprocess.Popen[bytes], object]) -> None:
    for process in working:
        process.terminate()
    for process in working:
        process.wait()
