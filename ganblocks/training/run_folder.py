"""The run folder: recipe.toml, provenance.json, metrics.jsonl, samples/, checkpoints/. Nothing is written elsewhere."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from ganblocks.errors import CheckpointError, UsageError
from ganblocks.files import write_text
from ganblocks.training.checkpoint import sweep
from ganblocks.training.reading import read_plain

LARGEST_METRICS = 1 << 30
"""Bytes of a metrics.jsonl that is read at all: some millions of steps."""
RECIPE, PROVENANCE, METRICS, LOCK = "recipe.toml", "provenance.json", "metrics.jsonl", ".lock"


class RunFolder:
    """Where a run keeps what it makes.

    Args:
        path: the folder; made if it is absent, refused if it already holds a run.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"{path}: exists and is not empty; name another folder with --out, or move it away")
        try:
            (path / "samples").mkdir(parents=True)
            (path / "checkpoints").mkdir()
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

    def papers(self) -> dict[str, str]:
        """What every checkpoint takes along."""
        return {name: (self.path / name).read_text(encoding="utf-8") for name in (RECIPE, PROVENANCE)}

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def sample(self, images_seen: int) -> Path:
        """Where the sample grid of this moment goes."""
        return self.path / "samples" / f"images-{images_seen:010d}.png"

    def write(self, recipe: str, provenance: Mapping[str, Any]) -> None:
        write_text(self.path / RECIPE, recipe)
        write_text(self.path / PROVENANCE, json.dumps(provenance, indent=2) + "\n")

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
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CheckpointError(f"{path}: is no plain file")
    return os.fdopen(descriptor, "a", encoding="utf-8")
