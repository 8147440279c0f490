"""Samples as files: one PNG each in a folder per class, or all in one npz. Memory does not grow with their number."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy
from torch import Tensor

from ganblocks.errors import UsageError
from ganblocks.files import replace_file
from ganblocks.training.pictures import picture, to_bytes

Drawn = Iterable[tuple[Tensor, Tensor | None]]
"""Images [b, C, H, W] in [-1, 1] and labels int64 [b], batch by batch."""
FOLDER_NAME_LENGTH = 60
"""Maximum length of a class's folder name in characters of up to 4 bytes; file systems allow 255 bytes."""
RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{k}" for device in ("com", "lpt") for k in range(1, 10))}
"""Names of devices on Windows."""


def write_pngs(folder: Path, drawn: Drawn, start: int, folders: Sequence[str]) -> None:
    """Write ``folder/CLASS/INDEX.png``, or ``folder/INDEX.png`` without ``folders`` of classes. Equal files are kept.

    Raises:
        UsageError: a file exists with other content, or cannot be written.

    """
    for index, (image, label) in enumerate(_single(drawn), start):
        parent = folder / folders[label] if folders else folder
        path = parent / f"{index:06}.png"
        try:
            _make(parent)
            _write_new(path, _png(image))
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}; name another folder with --to") from error


def write_npz(path: Path, drawn: Drawn, n: int, seed: int, start: int, names: Sequence[str]) -> None:
    """Write ``images`` uint8 [n, H, W, C], ``labels`` int64 [n], ``class_names``, ``index`` int64 [n] and ``seed`` as an npz.

    ``labels`` and ``class_names`` are empty without classes.
    """
    batches = iter(drawn)
    first = next(batches)
    labels: list[npt.NDArray[np.int64]] = []
    with replace_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        with archive.open(zipfile.ZipInfo("images.npy"), "w", force_zip64=True) as entry:
            _, channels, height, width = first[0].shape
            shape = (n, height, width, channels)
            npy.write_array_header_1_0(entry, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for image, label in chain([first], batches):
                entry.write(_pixels(image).numpy().tobytes())
                labels += [] if label is None else [label.numpy()]
        others = {
            "labels": np.concatenate(labels) if labels else np.empty(0, np.int64),
            "class_names": np.array(names, dtype=np.str_),
            "index": np.arange(start, start + n),
            "seed": np.array(seed),
        }
        for name, values in others.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                npy.write_array(entry, values, allow_pickle=False)


def folders_of(names: Sequence[str], classes: int) -> list[str]:
    """Return a distinct, portable folder name for each class, from its name or else its number."""
    folders: dict[str, str] = {}
    for number, name in enumerate(names or map(str, range(classes))):
        folder = _safe(name)
        while _canonical(folder) in folders:
            folder = f"{folder}-{number}"
        folders[_canonical(folder)] = folder
    return list(folders.values())


def _canonical(folder: str) -> str:
    """Return the name that file systems without case or with normalized accents compare."""
    return unicodedata.normalize("NFC", folder).casefold()


def _safe(name: str) -> str:
    """Return a name as a single visible part of a path."""
    kept = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)[:FOLDER_NAME_LENGTH]
    kept = kept.strip(" .") or "_"
    return f"_{kept}" if kept.partition(".")[0].casefold() in RESERVED else kept


def _single(drawn: Drawn) -> Iterator[tuple[Tensor, int]]:
    """Yield every image as uint8 [H, W, C] with its class; 0 without classes."""
    for image, label in drawn:
        yield from zip(_pixels(image), [0] * len(image) if label is None else label.tolist(), strict=True)


def _pixels(image: Tensor) -> Tensor:
    return to_bytes(image).permute(0, 2, 3, 1).contiguous()


def _png(image: Tensor) -> bytes:
    content = io.BytesIO()
    picture(image).save(content, format="PNG")
    return content.getvalue()


def _make(folder: Path) -> None:
    if folder.is_symlink():
        raise UsageError(f"{folder}: is a link, and may lead elsewhere; remove it, or name another folder with --to")
    folder.mkdir(parents=True, exist_ok=True)


def _write_new(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    if path.exists() or path.is_symlink():
        rule = "exists and is not this sample (of another run, seed, class or truncation, or another program)"
        raise UsageError(f"{path}: {rule}; name another folder with --to, or move it away")
    with replace_file(path, durable=False) as file:
        file.write(content)
