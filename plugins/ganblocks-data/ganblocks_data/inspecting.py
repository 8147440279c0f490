"""Every image of a folder looked at before a run: what cannot be read, what is going to be changed, what is doubtful."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attrs import frozen

from ganblocks import DataError, Finding, Size
from ganblocks_data.decoding import examine
from ganblocks_data.listing import Listing, survey

AT_ONCE = 256
"""Files that wait for a thread: memory does not grow with the folder."""
FEW = 10
"""Images below which a class is worth a word."""
MOST_SKIPPED = 0.01
"""Share of the files that may be skipped."""


@frozen
class _Look:
    """What one file is."""

    fault: str = ""
    changes: tuple[str, ...] = ()
    digest: bytes = b""
    """Of the bytes, where another file has as many."""


def inspect(root: Path, classes: int, size: Size, channels: int, skip: bool) -> Generator[Finding, None, Listing]:
    """Decode every file as training would; what training refuses is fatal. Returns the images that are left to train on.

    Args:
        root: the folder.
        classes: how many class folders it should have.
        size: height and width in pixels.
        channels: 1 or 3.
        skip: files that cannot be read may be left out, as long as they are few.
    """
    listing, faults = survey(root, classes)
    yield from faults
    bad: dict[int, str] = {}
    first: dict[bytes, int] = {}
    for place, look in enumerate(_looks(root, listing, size, channels)):
        path = str(root / listing.names[place])
        if look.fault:
            bad[place] = look.fault
        yield from (Finding(path, change) for change in look.changes)
        twin = first.setdefault(look.digest, place) if look.digest else place
        if twin != place:
            across = listing.labels[twin] != listing.labels[place]
            sort = "same bytes as in another class" if across else "same bytes twice"
            yield Finding(path, sort, f"as {listing.names[twin]}")
    yield from _unreadable(root, listing, bad, skip)
    yield from _small_classes(root, listing)
    return listing.without(set(bad))


def too_many(bad: int, files: int) -> str:
    """Why so many bad files are not skipped; empty where they are."""
    return f"{bad} of {files} files are bad, and at most 1 % may be skipped" if bad > MOST_SKIPPED * files else ""


def _unreadable(root: Path, listing: Listing, bad: Mapping[int, str], skip: bool) -> Iterator[Finding]:
    refused = too_many(len(bad), len(listing.names)) if skip else ""
    skipped = skip and not refused
    for place, fault in bad.items():
        yield Finding(str(root / listing.names[place]), "skipped" if skipped else "unreadable", fault, fatal=not skipped)
    if refused:
        yield Finding(str(root), "too much to skip", refused, fatal=True)


def readable(root: Path, listing: Listing, size: Size, channels: int) -> dict[int, str]:
    """Place -> what is wrong with it, for every file that cannot be read."""
    looks = _looks(root, listing, size, channels)
    return {place: look.fault for place, look in enumerate(looks) if look.fault}


def _looks(root: Path, listing: Listing, size: Size, channels: int) -> Iterator[_Look]:
    """One look per file, in order; by several threads, a handful of files ahead."""
    counts = Counter(listing.sizes)

    def check(place: int) -> _Look:
        path = root / listing.names[place]
        digest = _digest(path) if counts[listing.sizes[place]] > 1 else b""
        try:
            return _Look(changes=examine(path, size, channels).changes, digest=digest)
        except DataError as error:
            return _Look(str(error).removeprefix(f"{path} "), digest=digest)

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(listing.names), AT_ONCE):
            yield from pool.map(check, range(start, min(start + AT_ONCE, len(listing.names))))


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""


def _small_classes(root: Path, listing: Listing) -> Iterator[Finding]:
    counts: dict[str, int] = Counter(name.partition("/")[0] for name in listing.names if "/" in name)
    for folder, count in counts.items():
        if count < FEW:
            yield Finding(str(root / folder), f"a class of fewer than {FEW} images", f"{count} images")
