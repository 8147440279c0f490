"""The manifest of a checkpoint: its files with sizes and hashes. Written last, read first."""

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
"""Maximum size of a manifest in bytes."""
MOST_FILES = 1000
"""Maximum number of files of a checkpoint."""
TENSORS = ".safetensors"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def write_files(folder: Path, contents: Mapping[str, bytes], format_: int) -> None:
    """Write every file, then the manifest, then read everything back.

    Raises:
        CheckpointError: what was read differs from what was written.

    """
    files = {name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in contents.items()}
    for name, content in contents.items():
        write_bytes(folder / name, content)
    manifest = {"format": format_, "files": files}
    write_bytes(folder / NAME, (json.dumps(manifest, indent=1) + "\n").encode())
    verify(folder, format_)


def verify(folder: Path, format_: int) -> None:
    """Raise CheckpointError, naming the file, unless exactly the files of the manifest are there, as they were written."""
    expected = _read(folder, format_)
    present = {path.name for path in islice(folder.iterdir(), MOST_FILES)} - {NAME}
    if missing := sorted(set(expected) - present):
        raise CheckpointError(f"{folder / missing[0]}: missing")
    if unknown := sorted(present - set(expected)):
        raise CheckpointError(f"{folder / unknown[0]}: does not belong to this checkpoint")
    for name in expected:
        if name.endswith(TENSORS):
            check_tensors(folder / name)  # cheap, so before any hashing
    for name, facts in expected.items():
        _verify_file(folder / name, facts)


def _read(folder: Path, format_: int) -> dict[str, dict[str, Any]]:
    path = folder / NAME
    try:
        manifest = json.loads(read_plain(path, LARGEST))
        version, files = manifest["format"], manifest["files"]
        if isinstance(version, int) and version > format_:
            raise CheckpointError(f"{path}: format {version}, and this ganblocks reads up to {format_}; upgrade ganblocks")
        if type(version) is not int or version != format_ or not all(_plausible(name, facts) for name, facts in files.items()):
            raise CheckpointError(f"{path}: damaged")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged") from error
    expected: dict[str, dict[str, Any]] = files
    return expected


def _plausible(name: str, facts: Any) -> bool:
    """Return whether an entry is a plain file name with a size and a hash."""
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
