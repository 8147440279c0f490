"""Dataset: labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ganblocks.values import Images, ImageSpec


class Dataset(Protocol):
    """Says what the images are, and opens them."""

    def describe(self) -> ImageSpec:
        """Channels, size and classes, without touching the disk: ``ganblocks check`` works where the data is not."""
        ...

    def open(self) -> Images:
        """The images themselves. Raises ``DataError`` where they are missing or are not what ``describe`` says."""
        ...
