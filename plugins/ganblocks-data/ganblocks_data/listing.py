"""What a folder of images holds: names, labels and sizes, without opening a file."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from attrs import frozen

from ganblocks import DataError, Finding
from ganblocks_data.decoding import FORMATS

SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
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
    classes: tuple[str, ...] = ()
    """The names of the class folders: the class k is the k-th."""

    def without(self, places: set[int]) -> Listing:
        """The images that stand at other places than these."""
        kept = [place for place in range(len(self.names)) if place not in places]
        return Listing(
            names=tuple(self.names[place] for place in kept),
            labels=tuple(self.labels[place] for place in kept),
            sizes=tuple(self.sizes[place] for place in kept),
            classes=self.classes,
        )


def list_images(root: Path, classes: int) -> Listing:
    """List ``root/class/image`` (one folder per class, sorted by name), or ``root/image`` where ``classes`` is 0.

    Raises:
        DataError: says all that stands where it should not, or is missing.
    """
    listing, faults = survey(root, classes)
    if faults:
        raise DataError("\n".join(f"{fault.place} {fault.words}" for fault in faults))
    return listing


def survey(root: Path, classes: int) -> tuple[Listing, list[Finding]]:
    """As :func:`list_images`, with what is wrong beside it, and with all images that can be found nevertheless."""
    faults: list[Finding] = []
    if not root.is_dir():
        faults.append(_fault(root, "is not a folder" if root.exists() else "does not exist"))
        return Listing((), (), ()), faults
    folders = _class_folders(root, classes, faults) if classes else [root]
    found = [(*image, label) for label, folder in enumerate(folders) for image in _images(folder, faults)]
    listing = Listing(
        names=tuple(Path(path).relative_to(root).as_posix() for path, _, _ in found),
        labels=tuple(label for _, _, label in found),
        sizes=tuple(size for _, size, _ in found),
        classes=tuple(folder.name for folder in folders) if classes else (),
    )
    return listing, faults


def folders_in(root: Path) -> list[Path]:
    """The class folders of a root, hidden ones passed over, in the order of their names."""
    return [Path(entry) for entry in _entries(root, []) if _is_folder(entry)]


def _class_folders(root: Path, classes: int, faults: list[Finding]) -> list[Path]:
    folders = folders_in(root)
    if not folders:
        faults.append(_fault(root, "holds no class folders; say classes = 0 for images without labels"))
    if strays := [entry.name for entry in _entries(root, faults) if not _is_folder(entry) and _is_image(entry)]:
        faults.append(_fault(root, f"holds images beside its class folders ({_some(strays)}); move them into a class"))
    if folders and len(folders) != classes:
        names = _some([folder.name for folder in folders])
        rule = f"holds {len(folders)} class folders ({names}); the recipe says classes = {classes}"
        faults.append(_fault(root, rule))
    faults += _alike(folders)
    return folders


def _alike(folders: list[Path]) -> Iterator[Finding]:
    """Classes that a system without upper and lower case, or with other accents, would take for one."""
    first: dict[str, Path] = {}
    for folder in folders:
        other = first.setdefault(unicodedata.normalize("NFC", folder.name).casefold(), folder)
        if other is not folder:
            yield _fault(folder, f"differs from the class {other.name} by upper and lower case only; rename one of them")


def _images(folder: Path, faults: list[Finding]) -> Iterator[tuple[str, int]]:
    """(path, bytes) of the images of one folder."""
    entries = _entries(folder, faults)
    if deeper := [entry.name for entry in entries if _is_folder(entry)]:
        rule = f"holds folders ({_some(deeper)}) where only images may stand: the layout is one folder per class, or no"
        faults.append(_fault(folder, f"{rule} folders at all with classes = 0"))
    if not entries:
        faults.append(_fault(folder, "holds no images"))
    for entry in entries:
        if _is_folder(entry):
            continue
        if not _is_image(entry):
            faults.append(_fault(entry, "is no PNG, JPEG, WebP or BMP by its suffix; take it out", "not an image"))
        elif (size := _size(entry, faults)) is not None:
            yield entry.path, size


def _entries(folder: Path, faults: list[Finding]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _LITTER]
    except OSError as error:
        faults.append(_fault(folder, f"cannot be listed: {error.strerror}"))
        return []
    return sorted(seen, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_image(entry: os.DirEntry[str]) -> bool:
    return Path(entry.name).suffix.lower() in SUFFIXES


def _size(entry: os.DirEntry[str], faults: list[Finding]) -> int | None:
    try:
        facts = entry.stat()
    except OSError as error:  # a link that leads nowhere
        faults.append(_fault(entry, f"cannot be read: {error.strerror}", "unreadable"))
        return None
    if not S_ISREG(facts.st_mode):  # a pipe would wait for ever, a device has no end
        faults.append(_fault(entry, "cannot be read: it is no regular file", "unreadable"))
        return None
    return facts.st_size


def _fault(place: os.PathLike[str], words: str, sort: str = "layout") -> Finding:
    return Finding(os.fspath(place), sort, words, fatal=True)


def _some(names: list[str]) -> str:
    """At most five names, for a message."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
