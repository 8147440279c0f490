"""Inspect every image of a folder before a run: unreadable files, changes on reading, and doubtful classes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import frozen

from ganblocks import DataError, Finding, Size
from ganblocks_data.decoding import examine
from ganblocks_data.listing import Listing, survey

AT_ONCE = 256
"""Files that are queued for the threads at a time, so that memory does not grow with the folder."""
FEW = 10
"""Images below which a class is reported as small."""
MOST_SKIPPED = 0.01
"""Largest share of the files that may be skipped."""


@frozen
class _Report:
    """What is known of one file."""

    error: str = ""
    changes: tuple[str, ...] = ()
    digest: bytes = b""
    """SHA-256 of the bytes if another file is of the same length."""


def inspect(root: Path, classes: int, size: Size, channels: int, skip: bool) -> Iterator[Finding]:
    """Decode every file as training would; findings that training refuses are fatal.

    Args:
        root: the folder.
        classes: number of class folders that it should have.
        size: height and width in pixels.
        channels: 1 or 3.
        skip: whether a few files that cannot be read may be left out.
    """
    listing, faults = survey(root, classes)
    yield from faults
    errors: dict[int, str] = {}
    first: dict[bytes, int] = {}
    for index, report in enumerate(_reports(root, listing, size, channels)):
        path = str(root / listing.names[index])
        if report.error:
            errors[index] = report.error
        yield from (Finding(path, change) for change in report.changes)
        original = first.setdefault(report.digest, index) if report.digest else index
        if original != index:
            across = listing.labels[original] != listing.labels[index]
            sort = "same bytes as in another class" if across else "same bytes twice"
            yield Finding(path, sort, f"as {listing.names[original]}")
    yield from _unreadable(root, listing, errors, skip)
    counts = Counter(name.partition("/")[0] for name in listing.names if "/" in name)
    for folder, count in counts.items():
        if count < FEW:
            yield Finding(str(root / folder), f"a class of fewer than {FEW} images", f"{count} images")


def too_many(bad: int, files: int) -> str:
    """Return why this many bad files are not skipped; "" if they are."""
    return f"{bad} of {files} files are bad, and at most 1 % may be skipped" if bad > MOST_SKIPPED * files else ""


def unreadable_files(root: Path, listing: Listing, size: Size, channels: int) -> dict[int, str]:
    """Return index -> error of every file that cannot be read."""
    reports = _reports(root, listing, size, channels)
    return {index: report.error for index, report in enumerate(reports) if report.error}


def _unreadable(root: Path, listing: Listing, errors: Mapping[int, str], skip: bool) -> Iterator[Finding]:
    refused = too_many(len(errors), len(listing.names)) if skip else ""
    skipped = skip and not refused
    for index, error in errors.items():
        yield Finding(str(root / listing.names[index]), "skipped" if skipped else "unreadable", error, fatal=not skipped)
    if refused:
        yield Finding(str(root), "too much to skip", refused, fatal=True)


def _reports(root: Path, listing: Listing, size: Size, channels: int) -> Iterator[_Report]:
    """Yield one report per file, in order, from several threads that are at most AT_ONCE files ahead."""
    counts = Counter(listing.sizes)

    def report(index: int) -> _Report:
        path = root / listing.names[index]
        digest = _digest(path) if counts[listing.sizes[index]] > 1 else b""
        try:
            return _Report(changes=examine(path, size, channels).changes, digest=digest)
        except DataError as error:
            return _Report(str(error).removeprefix(f"{path} "), digest=digest)

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(listing.names), AT_ONCE):
            yield from pool.map(report, range(start, min(start + AT_ONCE, len(listing.names))))


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""
