"""What a folder of images holds: names, labels and sizes, without opening a file."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen

from ganblocks import DataError

SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"}
)
_LITTER = frozenset({"desktop.ini", "Thumbs.db"})
"""What file managers leave behind; hidden files are passed over as well."""


@frozen
class Listing:
    """The images of a folder, in the order of their names."""

    names: tuple[str, ...]
    """Relative to the root, with forward slashes."""
    labels: tuple[int, ...]
    sizes: tuple[int, ...]
    """Bytes of every file."""


def list_images(root: Path, classes: int) -> Listing:
    """List ``root/class/image`` (one folder per class, sorted by name), or ``root/image`` where ``classes`` is 0.

    Raises:
        DataError: says what stands where it should not, or is missing.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder" if root.exists() else f"{root} does not exist")
    folders = _class_folders(root, classes) if classes else [root]
    found = [(entry, label) for label, folder in enumerate(folders) for entry in _images(folder)]
    return Listing(
        names=tuple(Path(entry).relative_to(root).as_posix() for entry, _ in found),
        labels=tuple(label for _, label in found),
        sizes=tuple(_size(entry) for entry, _ in found),
    )


def _class_folders(root: Path, classes: int) -> list[Path]:
    entries = _entries(root)
    folders = [Path(entry) for entry in entries if entry.is_dir()]
    if not folders:
        raise DataError(f"{root} holds no class folders; say classes = 0 for images without labels")
    if strays := [entry.name for entry in entries if not entry.is_dir() and _is_image(entry)]:
        raise DataError(f"{root} holds images beside its class folders ({_some(strays)}); move them into a class")
    if len(folders) != classes:
        names = _some([folder.name for folder in folders])
        raise DataError(f"{root} holds {len(folders)} class folders ({names}); the recipe says classes = {classes}")
    return folders


def _images(folder: Path) -> list[os.DirEntry[str]]:
    entries = _entries(folder)
    if deeper := [entry.name for entry in entries if entry.is_dir()]:
        raise DataError(
            f"{folder} holds folders ({_some(deeper)}) where only images may stand: the layout is one folder per class, or no"
            " folders at all with classes = 0"
        )
    if others := [entry.name for entry in entries if not _is_image(entry)]:
        raise DataError(f"{folder} holds files that are no images ({_some(others)}); take them out")
    if not entries:
        raise DataError(f"{folder} holds no images")
    return entries


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _LITTER]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error}") from error
    return sorted(seen, key=lambda entry: entry.name)


def _is_image(entry: os.DirEntry[str]) -> bool:
    return Path(entry.name).suffix.lower() in SUFFIXES


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError as error:  # a link that leads nowhere
        raise DataError(f"{entry.path} cannot be read: {error}") from error


def _some(names: list[str]) -> str:
    """At most five names, for a message."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
