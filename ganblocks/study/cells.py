"""Run the cells of a study, each in a process of its own, so that one that fails stops no other.

``cells/VARIANT/seed-S/`` is an ordinary run folder. A cell has finished once ``seed-S.json`` is beside it, which is written
last and holds all that the table needs: a cell that was killed has none, and is run again.
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
from ganblocks.evaluation import Report, read_reports
from ganblocks.files import write_text
from ganblocks.recipe import write_recipe
from ganblocks.registry import Registry
from ganblocks.study.plan import Cell, Plan
from ganblocks.training.checkpoint import latest
from ganblocks.training.launch import resolved
from ganblocks.training.run_folder import LOCK, RECIPE, read_metrics
from ganblocks.training.stopping import StopRequest

DIVERGED = 4
"""Exit code of a diverged run."""
POLL = 0.05
"""Seconds between checks of the running cells."""


@frozen
class Result:
    """A cell that has finished or diverged."""

    variant: str
    seed: int
    diverged: bool
    step_seconds: float | None
    """The median step."""
    reports: tuple[Report, ...]
    """By images seen; empty where it diverged."""
    step_images: float | None = None
    """Real images in the median step: a batch for each turn of the discriminator, or as the update rule draws them."""

    def to_dict(self) -> dict[str, Any]:
        """Return the measurements as JSON types."""
        reports = [report.to_dict() for report in self.reports]
        steps = {"step_seconds": self.step_seconds, "step_images": self.step_images}
        return {"diverged": self.diverged, **steps, "reports": reports}


@frozen
class StudyFolder:
    """The paths of a study."""

    path: Path

    def run(self, cell: Cell) -> Path:
        """Return the run folder of a cell."""
        return self.path / "cells" / cell.variant.name / f"seed-{cell.seed}"

    def result(self, cell: Cell) -> Path:
        """Return the file with the result of a cell."""
        return self.run(cell).with_suffix(".json")

    def log(self, cell: Cell) -> Path:
        """Return the file with the output of a cell's process."""
        return self.run(cell).with_suffix(".log")

    def recipe(self, name: str) -> Path:
        """Return the recipe of a variant."""
        return self.path / "recipes" / f"{name}.toml"

    @property
    def features(self) -> Path:
        """Features of real images, shared by all cells."""
        return self.path / "features"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a study. Raises UsageError if another one runs in this folder, or if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", blocking=False)
        lock.acquire()
    except Timeout as error:
        raise UsageError(f"{folder}: another ganblocks ablate is at work here", "wait, or name another --out") from error
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}", "name another --out") from error
    try:
        yield
    finally:
        lock.release()


def result_of(cell: Cell, folder: StudyFolder) -> Result | None:
    """Return the result of a cell; None if it has not finished.

    Raises:
        UsageError: it has run another recipe.
        CheckpointError: the file is damaged.

    """
    path = folder.result(cell)
    if not path.is_file():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        digest, table = facts["recipe"], facts["result"]
        reports = tuple(Report.from_dict(report) for report in table["reports"])
        images = table.get("step_images")  # absent in earlier versions
        result = Result(cell.variant.name, cell.seed, table["diverged"], table["step_seconds"], reports, images)
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged ({error})", "remove it, and the cell is run again") from error
    if digest != cell.variant.digest:
        rule = f"{path}: this cell has run another recipe than the one that is asked for now"
        raise UsageError(rule, f"name another --out, or remove {folder.run(cell).parent}")
    return result


@define(eq=False)
class Runner:
    """Runs the cells that have not finished.

    Args:
        folder: of the study.
        options: between ``ganblocks`` and ``run``, such as ``-p``.
        device: for every cell.
        jobs: cells at once; each gets its share of the cores.
        say: prints progress.
        registry: knows the names of components.
    """

    folder: StudyFolder
    options: Sequence[str]
    device: str
    jobs: int
    say: Callable[[str], None]
    registry: Registry
    _failed: list[Cell] = field(factory=list, init=False)

    def run(self, plan: Plan, stop: StopRequest) -> list[Cell]:
        """Run the missing cells and return those that failed. A stop interrupts the running ones, which do not count then."""
        for variant in plan.variants:
            self.folder.recipe(variant.name).parent.mkdir(parents=True, exist_ok=True)
            write_text(self.folder.recipe(variant.name), variant.text)
        cells = list(plan.cells())
        waiting = [cell for cell in cells if result_of(cell, self.folder) is None]
        self.say(f"{len(cells)} cells: {len(cells) - len(waiting)} finished before, {len(waiting)} to run")
        progress = _Progress(len(waiting))
        running: dict[subprocess.Popen[bytes], tuple[Cell, float]] = {}
        try:
            while (waiting or running) and not stop:
                while waiting and len(running) < self.jobs:
                    cell = waiting.pop(0)
                    running[self._start(cell)] = cell, time.monotonic()
                for process in [process for process in running if process.poll() is not None]:
                    self._end(*running.pop(process), process.returncode)
                    self.say(progress.advance())
                time.sleep(POLL)
        finally:
            _terminate(running)
        return self._failed

    def _start(self, cell: Cell) -> subprocess.Popen[bytes]:
        """Resume a cell that was stopped, with the same result bit for bit, or start it in an empty folder."""
        run = self.folder.run(cell)
        _refuse_running(run)
        if not self._resumes(cell):
            shutil.rmtree(run, ignore_errors=True)
        run.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.log(cell).open("ab") as log:
            # in a session of its own, out of reach of a terminal's Ctrl-C: it is stopped once, by us, and saves
            return subprocess.Popen(  # noqa: S603
                self.command(cell), stdout=log, stderr=log, env=_environment(self.jobs), start_new_session=True
            )

    def command(self, cell: Cell) -> list[str]:
        """Return the command that runs or resumes a cell."""
        run, recipe = str(self.folder.run(cell)), str(self.folder.recipe(cell.variant.name))
        fresh = ["run", recipe, "--seed", str(cell.seed), "--device", self.device, "--out", run]
        command = ["resume", run] if self._resumes(cell) else fresh
        cache = ["--feature-cache", str(self.folder.features)]
        return [sys.executable, "-m", "ganblocks", *self.options, *command, *cache, "--quiet"]

    def _resumes(self, cell: Cell) -> bool:
        """Return whether the run folder holds a good checkpoint of the same recipe, with the precision of this device."""
        run = self.folder.run(cell)
        wanted = resolved(cell.variant.recipe, pick_device(self.device))
        try:
            latest(run)
            return (run / RECIPE).read_text(encoding="utf-8") == write_recipe(wanted, self.registry)
        except (CheckpointError, OSError, UnicodeDecodeError):
            return False

    def _end(self, cell: Cell, started: float, code: int) -> None:
        seconds = time.monotonic() - started
        try:
            if code not in (0, DIVERGED):
                raise CheckpointError(f"exit code {code}; see {self.folder.log(cell)}")
            result = _result(cell, self.folder.run(cell), diverged=code == DIVERGED)
            facts = {"recipe": cell.variant.digest, "seed": cell.seed, "seconds": round(seconds, 1), "result": result.to_dict()}
            write_text(self.folder.result(cell), json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        except (CheckpointError, OSError) as error:
            self._failed.append(cell)
            self.say(f"{cell.name}: failed: {error}")
            return
        self.say(f"{cell.name}: {'diverged' if result.diverged else _leading(result)} ({seconds:.0f} s)")


@define
class _Progress:
    """Counts finished cells and estimates the time left."""

    total: int
    done: int = 0
    start: float = field(factory=time.monotonic)

    def advance(self) -> str:
        """Count a cell; return the progress."""
        self.done += 1
        left = (time.monotonic() - self.start) / self.done * (self.total - self.done)
        return f"{self.done} of {self.total} cells" + (f", about {left / 60:.0f} min left" if left >= 60 else "")


def _refuse_running(run: Path) -> None:
    """Raise UsageError if the cell of a killed study is still running."""
    if not (run / LOCK).exists():
        return
    try:
        with FileLock(run / LOCK, blocking=False):
            return
    except Timeout as error:
        rule = f"{run}: a process still trains here, left over from a study that was killed"
        raise UsageError(rule, "stop it first") from error


def _result(cell: Cell, run: Path, diverged: bool) -> Result:
    """Return the result of a run that has ended. Raises CheckpointError if its end is not scored."""
    records = read_metrics(run)
    seconds = _median_step([record["seconds"] for record in records])
    images = _median_step([0, *(record["images"] for record in records)])
    reports = () if diverged else tuple(sorted(read_reports(run), key=lambda report: report.images))
    if not diverged and (not reports or reports[-1].images < cell.variant.recipe.training.images):
        raise CheckpointError(f"{run}: no score of its end")
    return Result(cell.variant.name, cell.seed, diverged, seconds, reports, images)


def _median_step(values: Sequence[float]) -> float | None:
    steps = [after - before for before, after in pairwise(values)]
    return statistics.median(steps) if steps else None


def _leading(result: Result) -> str:
    """Return the first score at the end, and a note if it is no better than noise."""
    last = result.reports[-1]
    numbers = (f"{score.name} {score.value:.4g}" for score in last.scores)
    return next(numbers, "no score") + ("; no better than noise" if last.untrained() else "")


def _environment(jobs: int) -> Mapping[str, str]:
    """Return an environment in which parallel cells share the cores: otherwise each would use all of them."""
    share = max((os.cpu_count() or 1) // jobs, 1)
    return {**os.environ, **({"OMP_NUM_THREADS": str(share)} if jobs > 1 else {})}


def _terminate(running: Mapping[subprocess.Popen[bytes], object]) -> None:
    for process in running:
        process.terminate()
    for process in running:
        process.wait()
