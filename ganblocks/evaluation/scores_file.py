"""The reports of a run folder: ``scores.json``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from ganblocks.errors import CheckpointError
from ganblocks.evaluation.report import Report
from ganblocks.files import write_text
from ganblocks.training.reading import read_json
from ganblocks.training.run_folder import SCORES

LOCK = ".scores.lock"
"""Held while that file is changed; a lock of its own, because training holds the folder's lock."""


def read_reports(run: Path) -> list[Report]:
    """Return all reports of a run folder, oldest first. Raises CheckpointError for a damaged file."""
    path = run / SCORES
    if not path.is_file():
        return []
    try:
        return [Report.from_dict(table) for table in read_json(path)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged: no reports that ganblocks has written", "move it away") from error


def add_report(run: Path, report: Report) -> None:
    """Add a report to a run folder; safe while another process adds one.

    Raises CheckpointError where the file cannot be written or is damaged.
    """
    with _locked(run):
        _write(run, [*read_reports(run), report])


def try_add_report(run: Path, report: Report) -> bool:
    """Add a report, or warn that it was not kept, and return whether it was."""
    try:
        add_report(run, report)
    except CheckpointError as error:
        warnings.warn(f"the scores are not kept: {error}", stacklevel=2)
        return False
    return True


def drop_reports_after(run: Path, images_seen: int) -> None:
    """Drop the reports of later points of a run. Raises as :func:`add_report` does."""
    with _locked(run):
        reports = read_reports(run)
        if any(report.images > images_seen for report in reports):
            _write(run, [report for report in reports if report.images <= images_seen])


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    try:
        with FileLock(run / LOCK):
            yield
    except OSError as error:
        raise CheckpointError(f"{run / SCORES}: cannot be written: {error.strerror or error}") from error


def _write(run: Path, reports: Sequence[Report]) -> None:
    tables = [report.to_dict() for report in reports]
    write_text(run / SCORES, json.dumps(tables, indent=2, ensure_ascii=False) + "\n")
