"""The run folder while a run writes it: recipe.toml, provenance.json, metrics.jsonl, samples/, checkpoints/."""

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
"""Maximum size of a metrics.jsonl in bytes: some millions of steps."""
RECIPE, PROVENANCE, METRICS, LOCK = "recipe.toml", "provenance.json", "metrics.jsonl", ".lock"
SCORES = "scores.json"
"""Reports of every scored moment; written by ``ganblocks.evaluation``."""


class RunFolder:
    """A run folder that is locked for writing. Nothing is written elsewhere.

    Args:
        path: created if absent; UsageError if it holds a run or anything else.
    """

    def __init__(self, path: Path) -> None:
        _refuse_used(path)
        try:
            (path / "samples").mkdir(parents=True, exist_ok=True)
            (path / "checkpoints").mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path}: cannot be created: {error.strerror}") from error
        self._open(path)

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Open the folder of a stopped run. Raise UsageError if another process is training there."""
        folder = cls.__new__(cls)
        for inner in ("samples", "checkpoints", "attention", "loggers"):
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
        """Drop the records after ``step``: those steps are repeated."""
        self._metrics.close()
        kept = [record for record in read_metrics(self.path) if record["step"] <= step]
        write_text(self.path / METRICS, "".join(json.dumps(record) + "\n" for record in kept))
        self._metrics = open_to_append(self.path / METRICS)

    def records(self) -> list[dict[str, Any]]:
        """Return the records so far."""
        self._metrics.flush()
        return read_metrics(self.path)

    def metadata(self) -> dict[str, str]:
        """Return recipe and provenance by file name, as every checkpoint holds them."""
        return {name: (self.path / name).read_text(encoding="utf-8") for name in (RECIPE, PROVENANCE)}

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    def sample(self, images_seen: int) -> Path:
        """Return the path of the sample grid after so many images."""
        return self.path / "samples" / f"images-{images_seen:010d}.png"

    def write(self, recipe: str, provenance: Mapping[str, Any]) -> None:
        """Write provenance, then the recipe: once that exists, the run can be resumed whenever it is killed."""
        write_text(self.path / PROVENANCE, json.dumps(provenance, indent=2) + "\n")
        write_text(self.path / RECIPE, recipe)

    def log(self, record: Mapping[str, Any]) -> None:
        """Append a record to metrics.jsonl, with null for numbers that are not finite. Raise CheckpointError."""
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
        """Raise CheckpointError if metrics.jsonl cannot be written, because the run could not be resumed."""
        try:
            yield
        except OSError as error:
            rule = f"cannot be written: {error.strerror or error}; earlier checkpoints are as they were"
            raise CheckpointError(f"{self.path / METRICS}: {rule}: make room, then ganblocks resume {self.path}") from error

    def close(self) -> None:
        """Close the log and release the lock."""
        with suppress(OSError):  # of lines that could not be written, which was reported before
            self._metrics.close()
        self._lock.release()


def _refuse_used(path: Path) -> None:
    """Raise UsageError if a run may not begin here. Files of a run that was killed before it had a recipe do not count."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: is not a folder; name another one with --out")
    if (path / RECIPE).exists():
        command = f"ganblocks resume {shlex.quote(str(path))}"
        raise UsageError(f"{path}: holds a run already; resume it with: {command}, or name another folder with --out")
    if path.exists() and (others := sorted(item.name for item in path.rglob("*") if not _is_leftover(item, path))):
        raise UsageError(f"{path}: exists and is not empty ({others[0]}); name another folder with --out, or move it away")


def _is_leftover(path: Path, folder: Path) -> bool:
    """Return whether a run creates this path before it writes its recipe."""
    if path.parent != folder:
        return False
    empty = path.is_file() and not path.is_symlink() and not path.stat().st_size
    made = path.is_dir() and not path.is_symlink() and path.name in ("samples", "checkpoints")
    return made or (empty and path.name in (METRICS, LOCK)) or path.name == PROVENANCE or path.name.startswith(STAGED)


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Return the records of a run's metrics.jsonl, one per step, up to a line that a kill cut short or that is malformed."""
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
    """Return whether a record holds numbers, or null for those that are not finite, and counts of steps and images."""
    numbers = all(value is None or (type(value) in (int, float) and math.isfinite(value)) for value in record.values())
    return numbers and type(record["step"]) is int and type(record["images"]) is int


def open_to_append(path: Path) -> TextIO:
    """Open a plain file to append lines. Raise CheckpointError for anything else, such as a link."""
    try:
        descriptor = open_plain(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    except OSError as error:
        rule = NOT_PLAIN if error.strerror == NOT_PLAIN else f"cannot be written: {error.strerror}"
        raise CheckpointError(f"{path}: {rule}") from error
    return os.fdopen(descriptor, "a", encoding="utf-8", newline="\n")
