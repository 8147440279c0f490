"""The loggers of a run: what they get, and when. They only receive copies, so none can change what the run computes."""

from __future__ import annotations

import math
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np
from attrs import frozen
from PIL import Image

from ganblocks.errors import CheckpointError, GanblocksError
from ganblocks.files import write_text
from ganblocks.kinds.logger import LoggerSession
from ganblocks.recipe import Logging, read_loggers, table_of, write_loggers
from ganblocks.registry import Registry
from ganblocks.training import logger_thread
from ganblocks.training.cadence import Cadence, Cadences
from ganblocks.training.logger_thread import GOES_ON, Call, LoggerThread
from ganblocks.training.reading import read_json
from ganblocks.training.run_folder import SCORES, RunFolder
from ganblocks.training.trainer import Trainer
from ganblocks.values import LoggedRun

FILE, FOLDER = "loggers.toml", "loggers"
GRID = "samples"
RECORDS = 1000
"""Records of a run that a logger gets by default, about."""


class RunLog:
    """Passes what a run logs to its loggers: records on a cadence, every grid, and every score.

    Args:
        threads: each logger with the cadence of its records.
        statistics: the cadence of the records with statistics, which all loggers get.
        past: of the run, up to where it begins or continues.
    """

    def __init__(self, threads: Mapping[LoggerThread, Cadence], statistics: Cadence, past: Past) -> None:
        self._threads, self._statistics, self._seen = threads, statistics, past.images_seen
        self._logged = {(GRID, images) for images in past.grids} | {("scores", images) for images in past.scores}

    @classmethod
    def of_none(cls) -> RunLog:
        """Return the log of a run that has no loggers."""
        return cls({}, Cadence(1), Past(0, (), {}, {}))

    def record(self, record: Mapping[str, Any]) -> None:
        """Log a record of metrics.jsonl where it is due."""
        before, self._seen = self._seen, record["images"]
        for thread, cadence in self._threads.items():
            if self._is_due(record, before, cadence):
                thread.record(logging(finite(record), self._seen))

    def grid(self, picture: Image.Image, images_seen: int) -> None:
        """Log a sample grid, once for each moment of the run."""
        if self._threads and self._is_new(GRID, images_seen):
            for thread in self._threads:
                thread.grid(showing(picture, images_seen))

    def scores(self, numbers: Mapping[str, float], images_seen: int) -> None:
        """Log scores by name, once for each moment of the run."""
        if numbers and self._is_new("scores", images_seen):
            for thread in self._threads:
                thread.record(logging(as_scores(numbers), images_seen))

    def catch_up(self, past: Past) -> None:
        """Give loggers that are new to this run what it has logged so far, and rewind the others to here."""
        for thread, cadence in self._threads.items():
            if not thread.is_new:
                thread.must(rewinding(past.images_seen))
                continue
            before = 0
            for record in past.records:
                if self._is_due(record, before, cadence):
                    thread.must(logging(finite(record), record["images"]))
                before = record["images"]
            for images, path in past.grids.items():
                thread.must(showing_file(path, images))
            for images, numbers in past.scores.items():
                thread.must(logging(as_scores(numbers), images))

    def rewind(self, images_seen: int) -> None:
        """Continue after so many images: the run was rolled back."""
        self._seen = images_seen
        self._logged = {(name, images) for name, images in self._logged if images <= images_seen}
        for thread in self._threads:
            thread.must(rewinding(images_seen))

    def finish(self, complete: bool) -> None:
        """End all loggers, and wait for them, but not forever."""
        for thread in self._threads:
            thread.must(lambda session: session.finish(complete))
            thread.end()
        until = time.monotonic() + logger_thread.PATIENCE
        for thread in self._threads:
            thread.wait(until)

    def _is_due(self, record: Mapping[str, Any], before: int, cadence: Cadence) -> bool:
        special = "undone" in record or self._statistics.crossed(before, record["images"])
        return special or cadence.crossed(before, record["images"])

    def _is_new(self, name: str, images_seen: int) -> bool:
        new = (name, images_seen) not in self._logged
        self._logged.add((name, images_seen))
        return new


def finite(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the finite numbers of a record but ``images``, which is where they belong."""
    numbers = {name: value for name, value in record.items() if isinstance(value, int | float) and name != "images"}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


def as_scores(numbers: Mapping[str, Any]) -> dict[str, float]:
    """Return scores under the names that loggers have them."""
    return finite({f"score/{name}": value for name, value in numbers.items()})


def logging(numbers: Mapping[str, float], images_seen: int) -> Call:
    """Return the call that logs a copy of numbers."""
    return lambda session: session.log(dict(numbers), images_seen)


def showing(picture: Image.Image, images_seen: int) -> Call:
    """Return the call that logs a picture of a grid."""
    return lambda session: session.images(GRID, np.array(picture.convert("RGB")), images_seen)


def showing_file(path: Path, images_seen: int) -> Call:
    """Return the call that logs a grid that was drawn before."""

    def call(session: LoggerSession) -> None:
        with Image.open(path) as picture:
            showing(picture, images_seen)(session)

    return call


def rewinding(images_seen: int) -> Call:
    """Return the call that rewinds a session."""
    return lambda session: session.rewind(images_seen)


@frozen(eq=False)
class Past:
    """What a run has logged so far."""

    images_seen: int
    records: Sequence[Mapping[str, Any]]
    grids: Mapping[int, Path]
    """Images seen -> file."""
    scores: Mapping[int, Mapping[str, Any]]
    """Images seen -> number by name; those that were added by ``ganblocks evaluate`` too."""

    @classmethod
    def of(cls, folder: RunFolder, images_seen: int) -> Past:
        """Return what the folder holds up to ``images_seen`` images."""
        files = {int(path.stem[-10:]): path for path in sorted(folder.path.glob("samples/images-" + "[0-9]" * 10 + ".png"))}
        grids = {images: path for images, path in files.items() if images <= images_seen}
        return cls(images_seen, folder.records(), grids, _scores(folder.path / SCORES, images_seen))


def _scores(path: Path, images_seen: int) -> dict[int, dict[str, Any]]:
    """Return the numbers of scores.json, none if it is missing or damaged, which is reported elsewhere."""
    try:
        reports = [report for report in read_json(path) if report["images"] <= images_seen]
        return {report["images"]: {score["name"]: score["value"] for score in report["scores"]} for report in reports}
    except (CheckpointError, LookupError, TypeError):
        return {}


@contextmanager
def logged(loggers: Mapping[str, Logging], trainer: Trainer, folder: RunFolder, registry: Registry) -> Iterator[RunLog]:
    """Log the training of the block to these loggers and to those of the run folder. Nothing they do reaches the run."""
    known = _known(folder.path, registry)
    wanted = {**known, **loggers}
    if wanted != known:
        _write(folder.path / FILE, write_loggers(wanted, registry))
    if not wanted:
        yield RunLog.of_none()
        return
    cadences, past = Cadences.of(trainer.session.recipe), Past.of(folder, trainer.images_seen)
    usual = max(trainer.session.recipe.training.images // RECORDS, 1)
    threads = {
        LoggerThread(name, item.logger, _facts(name, trainer, folder, registry)): Cadence(item.every or usual)
        for name, item in wanted.items()
    }
    log = RunLog(threads, cadences.statistics, past)
    log.catch_up(past)
    with redirect_stdout(cast("TextIO", _Output(sys.stdout))):
        try:
            yield log
        except BaseException:
            log.finish(complete=False)
            raise
        log.finish(complete=trainer.images_seen >= trainer.session.recipe.training.images)


def _facts(name: str, trainer: Trainer, folder: RunFolder, registry: Registry) -> LoggedRun:
    session, path = trainer.session, folder.path.absolute()
    return LoggedRun(path.name, session.recipe.title, path / FOLDER / name, table_of(session.recipe, registry), session.seed)


def _known(run: Path, registry: Registry) -> dict[str, Logging]:
    """Return the loggers that a run folder names; a file that is wrong is a warning."""
    try:
        return read_loggers(run / FILE, registry)
    except (GanblocksError, OSError) as error:
        warnings.warn(f"{run / FILE}: is left out, and {GOES_ON}: {error}", stacklevel=4)
        return {}


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        warnings.warn(f"{path}: cannot be written: {error.strerror or error}; name loggers again to resume", stacklevel=4)


class _Output:
    """Stdout for all but the threads of loggers, which get stderr: stdout is for results, whatever a library prints."""

    def __init__(self, usual: TextIO) -> None:
        self._usual = usual

    def __getattr__(self, name: str) -> Any:
        foreign = threading.current_thread().name.startswith(logger_thread.NAME)
        return getattr(sys.stderr if foreign else self._usual, name)
