"""Write files atomically: to a temporary name, flushed to the disk, then renamed.

All differences between operating systems are handled here.
"""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

STAGED = ".tmp-"
"""Prefix of unfinished files and folders, which may be deleted later."""
NOT_PLAIN = "is no plain file"
CAREFUL = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
"""Windows has only the last of them, and needs it: without it the C library changes line ends."""


def open_plain(path: Path, flags: int) -> int:
    """Open a plain file and return its descriptor; never a link or a pipe, which would block.

    Raise OSError; its ``strerror`` is NOT_PLAIN for anything but a plain file.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):  # the flags guard against a change in between
        raise OSError(errno.EINVAL, NOT_PLAIN)
    careful = sum(getattr(os, name, 0) for name in CAREFUL)
    descriptor = os.open(path, flags | careful, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, NOT_PLAIN)
    return descriptor


@contextmanager
def replace_file(path: Path, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces ``path`` if the block succeeds, and is deleted otherwise.

    ``durable``: wait until it is on the disk, which takes longer than writing a small file.
    """
    staged = path.with_name(f"{STAGED}{uuid.uuid4().hex}-{path.name}")
    try:
        with staged.open("wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 atomically."""
    with replace_file(path) as file:
        file.write(text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a new file in a folder that is not in use yet, and flush it to the disk."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that renamed files survive a power cut.

    Do nothing if folders cannot be opened (Windows), whose file system keeps a journal.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
