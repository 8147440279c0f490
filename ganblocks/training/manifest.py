"""The manifest of a checkpoint: what must be there, to the last bit. It is written last, and read first."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ganblocks.errors import CheckpointError
from ganblocks.files import write_bytes
from ganblocks.training.reading import check_tensors, read_plain

NAME = "manifest.json"
LARGEST = 1 << 20
"""Bytes of a manifest that is read at all."""
MOST_FILES = 1000
"""In the folder of a checkpoint."""
TENSORS = ".safetensors"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def write_files(folder: Path, contents: Mapping[str, bytes], format_: int) -> None:
    """Write every file, then the manifest, then read everything back.

    Raises:
        CheckpointError: what the disk holds is not what was written.

    """
    files = {name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in contents.items()}
    for name, content in contents.items():
        write_bytes(folder / name, content)
    manifest = {"format": format_, "files": files}
    write_bytes(folder / NAME, (json.dumps(manifest, indent=1) + "\n").encode())
    verify(folder, format_)


def verify(folder: Path, format_: int) -> None:
    """Raises CheckpointError, naming the file, unless all that the manifest lists is there as it was written, and no more."""
    expected = _read(folder, format_)
    present = {path.name for path in islice(folder.iterdir(), MOST_FILES)} - {NAME}
    if missing := sorted(set(expected) - present):
        raise CheckpointError(f"{folder / missing[0]}: missing")
    if foreign := sorted(present - set(expected)):
        raise CheckpointError(f"{folder / foreign[0]}: does not belong to this checkpoint")
    for name in expected:
        if name.endswith(TENSORS):
            check_tensors(folder / name)  # seconds of hashing later, a lie is a lie still
    for name, facts in expected.items():
        _verify_file(folder / name, facts)


def _read(folder: Path, format_: int) -> dict[str, dict[str, Any]]:
    path = folder / NAME
    try:
        manifest = json.loads(read_plain(path, LARGEST))
        found, files = manifest["format"], manifest["files"]
        if isinstance(found, int) and found > format_:
            raise CheckpointError(f"{path}: format {found}, and this ganblocks reads up to {format_}; upgrade ganblocks")
        if type(found) is not int or found != format_ or not all(_plausible(name, facts) for name, facts in files.items()):
            raise CheckpointError(f"{path}: damaged")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged") from error
    expected: dict[str, dict[str, Any]] = files
    return expected


def _plausible(name: str, facts: Any) -> bool:
    """A plain file name, a size and a hash: nothing that leads elsewhere."""
    size, digest = facts["bytes"], facts["sha256"]
    return bool(_PLAIN.fullmatch(name)) and name != NAME and type(size) is int and isinstance(digest, str)


def _verify_file(path: Path, facts: Mapping[str, Any]) -> None:
    try:
        if path.is_symlink() or not path.is_file():
            raise CheckpointError(f"{path}: is no plain file")
        size = path.stat().st_size
        if size != facts["bytes"]:
            raise CheckpointError(f"{path}: {size:,} bytes, and {facts['bytes']:,} were written")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    if digest != facts["sha256"]:
        raise CheckpointError(f"{path}: damaged: its sha256 is not the one that was written")
