"""List a folder of images, with labels and sizes, without opening a file."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator
from itertools import compress
from pathlib import Path
from stat import S_ISREG

from attrs import frozen

from ganblocks import DataError, Finding
from ganblocks_data.decoding import FORMATS

SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
_IGNORED = frozenset({"desktop.ini", "Thumbs.db"})
"""Files of file managers; hidden files are ignored as well."""


@frozen
class Listing:
    """The images of a folder, in the order of their names."""

    names: tuple[str, ...]
    """Paths relative to the root, with forward slashes."""
    labels: tuple[int, ...]
    sizes: tuple[int, ...]
    """Bytes of each file."""
    classes: tuple[str, ...] = ()
    """Names of the class folders, by class number."""

    def without(self, indices: Collection[int]) -> Listing:
        """Return the listing without the images at these indices."""
        kept = [index not in indices for index in range(len(self.names))]
        names, labels, sizes = (tuple(compress(column, kept)) for column in (self.names, self.labels, self.sizes))
        return Listing(names, labels, sizes, self.classes)  # type: ignore[arg-type]


def list_images(root: Path, classes: int) -> Listing:
    """List ``root/class/image`` (one folder per class, sorted by name), or ``root/image`` if ``classes`` is 0.

    Raise DataError with everything that is misplaced or missing.
    """
    listing, faults = survey(root, classes)
    if faults:
        raise DataError("\n".join(f"{fault.path} {fault.words}" for fault in faults))
    return listing


def survey(root: Path, classes: int) -> tuple[Listing, list[Finding]]:
    """Return the listing of all images that :func:`list_images` can find, and what is wrong."""
    faults: list[Finding] = []
    if not root.is_dir():
        faults.append(_fault(root, "is not a folder" if root.exists() else "does not exist"))
        return Listing((), (), ()), faults
    folders = _class_folders(root, classes, faults) if classes else [root]
    images = [(*image, label) for label, folder in enumerate(folders) for image in _images(folder, faults)]
    listing = Listing(
        names=tuple(Path(path).relative_to(root).as_posix() for path, _, _ in images),
        labels=tuple(label for _, _, label in images),
        sizes=tuple(size for _, size, _ in images),
        classes=tuple(folder.name for folder in folders) if classes else (),
    )
    return listing, faults


def folders_in(root: Path) -> list[Path]:
    """Return the class folders of a root in the order of their names, without hidden ones."""
    return [Path(entry) for entry in _entries(root, []) if _is_folder(entry)]


def _class_folders(root: Path, classes: int, faults: list[Finding]) -> list[Path]:
    folders = folders_in(root)
    if not folders:
        faults.append(_fault(root, "holds no class folders; set classes = 0 for images without labels"))
    if strays := [entry.name for entry in _entries(root, faults) if not _is_folder(entry) and _is_image(entry)]:
        faults.append(_fault(root, f"holds images beside its class folders ({_some(strays)}); move them into a class"))
    if folders and len(folders) != classes:
        names = _some([folder.name for folder in folders])
        faults.append(_fault(root, f"holds {len(folders)} class folders ({names}); the recipe says classes = {classes}"))
    faults += _similar_names(folders)
    return folders


def _similar_names(folders: list[Path]) -> Iterator[Finding]:
    """Yield classes that systems without upper and lower case, or with other accents, would not tell apart."""
    first: dict[str, Path] = {}
    for folder in folders:
        other = first.setdefault(unicodedata.normalize("NFC", folder.name).casefold(), folder)
        if other is not folder:
            yield _fault(folder, f"differs from the class {other.name} by upper and lower case only; rename one of them")


def _images(folder: Path, faults: list[Finding]) -> Iterator[tuple[str, int]]:
    """Yield (path, bytes) of the images of one folder."""
    entries = _entries(folder, faults)
    if subfolders := [entry.name for entry in entries if _is_folder(entry)]:
        rule = f"holds folders ({_some(subfolders)}) beside its images: use one folder per class"
        faults.append(_fault(folder, f"{rule}, or no folders and classes = 0"))
    if not entries:
        faults.append(_fault(folder, "holds no images"))
    for entry in entries:
        if _is_folder(entry):
            continue
        if not _is_image(entry):
            faults.append(_fault(entry, "is no PNG, JPEG, WebP or BMP by its suffix; remove it", "not an image"))
        elif (size := _size(entry, faults)) is not None:
            yield entry.path, size


def _entries(folder: Path, faults: list[Finding]) -> list[os.DirEntry[str]]:
    """Return what a folder holds, sorted by name, without what is ignored."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _IGNORED]
    except OSError as error:
        faults.append(_fault(folder, f"cannot be listed: {error.strerror}"))
        return []
    return sorted(visible, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_image(entry: os.DirEntry[str]) -> bool:
    return Path(entry.name).suffix.lower() in SUFFIXES


def _size(entry: os.DirEntry[str], faults: list[Finding]) -> int | None:
    """Return the bytes of a file; None, and a fault, if it cannot be read."""
    try:
        status = entry.stat()
        reason = "" if S_ISREG(status.st_mode) else "it is no regular file"  # a pipe would block, a device has no end
    except OSError as error:  # a broken link
        reason = str(error.strerror)
    if reason:
        faults.append(_fault(entry, f"cannot be read: {reason}", "unreadable"))
        return None
    return status.st_size


def _fault(path: os.PathLike[str], words: str, sort: str = "layout") -> Finding:
    return Finding(os.fspath(path), sort, words, fatal=True)


def _some(names: list[str]) -> str:
    """Join at most five names for a message."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
