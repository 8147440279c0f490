"""Files that are whole or absent: written beside their place, flushed to the disk, then renamed.

Here alone stands what systems do differently.
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
"""How the names of things begin that are not finished; whoever opens the folder next may sweep them."""
NOT_PLAIN = "is no plain file"
CAREFUL = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")
"""Windows has only the last of them, and needs it: without it the C library would change line ends."""


def open_plain(path: Path, flags: int) -> int:
    """Open a plain file, never what a link leads to nor a pipe, which would wait for ever; return its descriptor.

    Raise OSError; its ``strerror`` is NOT_PLAIN where something else is there.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):  # the flags hold against a change after this look
        raise OSError(errno.EINVAL, NOT_PLAIN)
    careful = sum(getattr(os, name, 0) for name in CAREFUL)
    descriptor = os.open(path, flags | careful, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, NOT_PLAIN)
    return descriptor


@contextmanager
def replace_file(path: Path, durable: bool = True) -> Iterator[IO[bytes]]:
    """Open a binary file that takes the place of ``path`` when the block ends well, and leaves no trace when it does not.

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
    """Write a whole text file in UTF-8, or nothing."""
    with replace_file(path) as file:
        file.write(text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a new file in a folder that nobody reads yet, and flush it to the disk."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk: what was renamed into it stays after a power cut.

    Where folders cannot be opened (Windows), the system's own journal has to do.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
