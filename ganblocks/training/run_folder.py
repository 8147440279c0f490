"""The run folder: recipe.toml, provenance.json, metrics.jsonl, samples/, checkpoints/. Nothing is written elsewhere."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from ganblocks.errors import CheckpointError, UsageError
from ganblocks.files import NOT_PLAIN, STAGED, open_plain, write_text
from ganblocks.training.checkpoint import sweep
from ganblocks.training.reading import read_plain

LARGEST_METRICS = 1 << 30
"""Bytes of a metrics.jsonl that is read at all: some millions of steps."""
RECIPE, PROVENANCE, METRICS, LOCK = "recipe.toml", "provenance.json", "metrics.jsonl", ".lock"
SCORES = "scores.json"
"""Reports of every scored moment; written by ``ganblocks.evaluation``."""


class RunFolder:
    """Where a run keeps what it makes.

    Args:
        path: the folder; made if it is absent, refused if it already holds a run, or anything else.
    """

    def __init__(self, path: Path) -> None:
        _refuse_used(path)
        try:
            (path / "samples").mkdir(parents=True, exist_ok=True)
            (path / "checkpoints").mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path}: cannot be made: {error.strerror}") from error
        self._open(path)

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """The folder of a run that was stopped. Raises UsageError where the run is still going on."""
        folder = cls.__new__(cls)
        for inner in ("samples", "checkpoints"):
            if (path / inner).is_symlink():
                raise CheckpointError(f"{path / inner}: is a link, and a run writes into its own folder only; move it in")
        folder._open(path)
        (path / "samples").mkdir(exist_ok=True)
        sweep(folder.checkpoints)
        return folder

    def _open(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / LOCK, blocking=False)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise UsageError(f"{path}: another process is training here; wait for it, or stop it") from error
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
        self._metrics = open_to_append(path / METRICS)

    def cut(self, step: int) -> None:
        """Forget what was logged after ``step``: it is going to happen again."""
        self._metrics.close()
        kept = [record for record in read_metrics(self.path) if record["step"] <= step]
        write_text(self.path / METRICS, "".join(json.dumps(record) + "\n" for record in kept))
        self._metrics = open_to_append(self.path / METRICS)

    def records(self) -> list[dict[str, Any]]:
        """What was logged so far."""
        self._metrics.flush()
        return read_metrics(self.path)

    def metadata(self) -> dict[str, str]:
        """What every checkpoint takes along."""
        return {name: (self.path / name).read_text(encoding="utf-8") for name in (RECIPE, PROVENANCE)}

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def sample(self, images_seen: int) -> Path:
        """Where the sample grid of this moment goes."""
        return self.path / "samples" / f"images-{images_seen:010d}.png"

    def write(self, recipe: str, provenance: Mapping[str, Any]) -> None:
        """The recipe comes last: where it stands, the run can be started again, whenever it was killed."""
        write_text(self.path / PROVENANCE, json.dumps(provenance, indent=2) + "\n")
        write_text(self.path / RECIPE, recipe)

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl; a number that JSON does not have becomes null. Raises CheckpointError."""
        plain = {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in record.items()}
        with self._writing():
            self._metrics.write(json.dumps(plain) + "\n")

    def flush(self) -> None:
        """Metrics up to here survive a power cut. Raises CheckpointError."""
        with self._writing():
            self._metrics.flush()
            os.fsync(self._metrics.fileno())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raise CheckpointError where metrics.jsonl cannot be written: a run that could not be resumed does not go on."""
        try:
            yield
        except OSError as error:
            rule = f"cannot be written: {error.strerror or error}; earlier checkpoints are as they were"
            raise CheckpointError(f"{self.path / METRICS}: {rule}: make room, then ganblocks resume {self.path}") from error

    def close(self) -> None:
        with suppress(OSError):  # of lines that could not be written before, which was said then
            self._metrics.close()
        self._lock.release()


def _refuse_used(path: Path) -> None:
    """Raise UsageError where a run may not begin: what a run leaves that was killed before it had a recipe does not count."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: is no folder; name another one with --out")
    if (path / RECIPE).exists():
        go_on = f"go on with it by: ganblocks resume {shlex.quote(str(path))}"
        raise UsageError(f"{path}: holds a run already; {go_on}, or name another folder with --out")
    if path.exists() and (others := sorted(each.name for each in path.rglob("*") if not _left(each, path))):
        raise UsageError(f"{path}: exists and is not empty ({others[0]}); name another folder with --out, or move it away")


def _left(each: Path, folder: Path) -> bool:
    """Whether this is what a run makes before its recipe stands."""
    if each.parent != folder:
        return False
    empty = each.is_file() and not each.is_symlink() and not each.stat().st_size
    made = each.is_dir() and not each.is_symlink() and each.name in ("samples", "checkpoints")
    return made or (empty and each.name in (METRICS, LOCK)) or each.name == PROVENANCE or each.name.startswith(STAGED)


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The records of a run's metrics.jsonl, one per step; they end before a line cut short by a kill, or of another shape."""
    path = run / METRICS
    if not path.is_file():
        raise CheckpointError(f"{run}: no metrics.jsonl here; is this a run folder?")
    records = []
    for line in read_plain(path, LARGEST_METRICS).splitlines():
        try:
            record = json.loads(line)
            if not _is_record(record):
                break
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            break
        records.append(record)
    return records


def _is_record(record: Any) -> bool:
    """A count of steps and of images, and numbers; null stands for those that JSON does not have."""
    numbers = all(value is None or (type(value) in (int, float) and math.isfinite(value)) for value in record.values())
    return numbers and type(record["step"]) is int and type(record["images"]) is int


def open_to_append(path: Path) -> TextIO:
    """A plain file, for lines at its end. Raises CheckpointError where something else is there, which might lead elsewhere."""
    try:
        descriptor = open_plain(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    except OSError as error:
        rule = NOT_PLAIN if error.strerror == NOT_PLAIN else f"cannot be written: {error.strerror}"
        raise CheckpointError(f"{path}: {rule}") from error
    return os.fdopen(descriptor, "a", encoding="utf-8", newline="\n")
