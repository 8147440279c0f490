"""Read batches of image files with several threads, and count what was changed."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganblocks import DataError, Size, sides
from ganblocks_data.decoding import examine

LISTED = 100
"""Most files that one error names; ``ganblocks check --data`` names all."""


class Reader:
    """Decodes files by their indices.

    Args:
        files: one path per index.
        size: height and width in pixels.
        channels: 1 or 3.
    """

    def __init__(self, files: list[Path], size: Size, channels: int) -> None:
        self.files, self.size, self.channels = files, size, channels
        self.changes: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor()

    def __call__(self, indices: Tensor) -> Tensor:
        """Map indices int64 [B] to images uint8 [B, C, H, W]. Raise DataError that names all broken files."""
        return self._begin(indices)()

    def begin(self, indices: Tensor) -> Callable[[], Tensor]:
        """Begin to decode the files of indices int64 [B] in threads, and return a function that waits for them.

        It returns images uint8 [B, C, H, W], raises DataError that names all broken files, and warns of each kind of change
        when it first occurs.
        """
        finish = self._begin(indices)

        def finish_and_warn() -> Tensor:
            known = set(self.changes)
            batch = finish()
            for change in sorted(set(self.changes) - known):
                folder = self.files[int(indices[0])].parent
                warnings.warn(f"images of {folder} are changed as they are read: {change}", stacklevel=2)
            return batch

        return finish_and_warn

    def warning(self, indices: Tensor) -> Tensor:
        """Map indices int64 [B] to images uint8 [B, C, H, W], and warn of each kind of change when it first occurs."""
        return self.begin(indices)()

    def warn_of_changes(self, root: Path) -> None:
        """Warn once with the count of each kind of change so far."""
        if self.changes:
            counts = ", ".join(f"{change}: {count:,}" for change, count in sorted(self.changes.items()))
            warnings.warn(f"{root}: images were changed as they were read ({counts})", stacklevel=3)

    def _begin(self, indices: Tensor) -> Callable[[], Tensor]:
        """Hand the files to the threads, and return a function that waits for all of them."""
        batch = np.empty((len(indices), self.channels, *sides(self.size)), np.uint8)

        def fill(row: int, index: int) -> tuple[str, tuple[str, ...]]:
            try:
                batch[row], changes = examine(self.files[index], self.size, self.channels)
            except DataError as error:
                return str(error), ()
            return "", changes

        outcomes = self._pool.map(fill, range(len(indices)), indices.tolist())

        def finish() -> Tensor:
            self._count(outcomes)
            return torch.from_numpy(batch)

        return finish

    def _count(self, outcomes: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Count the changes of files. Raise DataError that names those that are broken."""
        errors: list[str] = []
        for error, changes in outcomes:
            errors += [error] if error else []
            self.changes.update(changes)
        if errors:
            more = f"\n... and {len(errors) - LISTED} more" if len(errors) > LISTED else ""
            raise DataError("\n".join(errors[:LISTED]) + more)
