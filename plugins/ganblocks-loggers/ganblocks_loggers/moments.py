"""Which moments of a run a store has already, for stores that cannot delete what they have."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class Moments:
    """The moments of a run that were logged, in images seen; kept in a file, so that later sessions know them.

    A resumed run repeats the steps after its checkpoint. Their numbers are equal to those that were logged, so what comes again
    is left out.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "logged-up-to.txt"
        self._last = -1
        with suppress(FileNotFoundError, ValueError):
            self._last = int(self._path.read_text(encoding="ascii"))
        self._had = -1

    def rewind(self) -> None:
        """Leave out what comes again up to the last moment so far."""
        self._had = self._last

    def is_new(self, images_seen: int) -> bool:
        """Return whether to log what belongs to a moment, and note that it was."""
        if images_seen <= self._had:
            return False
        if images_seen > self._last:
            self._last = images_seen
            staged = self._path.with_suffix(".tmp")
            staged.write_text(str(images_seen), encoding="ascii")
            os.replace(staged, self._path)
        return True


def kept_id(folder: Path, new: str) -> str:
    """Return the id under which the store knows the run: ``new`` in the first session, and the same one in all others."""
    path = folder / "run-id.txt"
    if not path.exists() and new:
        path.write_text(new, encoding="utf-8")
    return path.read_text(encoding="utf-8") if path.exists() else ""
