"""Dataset: labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ganblocks.values import Images, ImageSpec


class Dataset(Protocol):
    """Describes images and opens them."""

    def describe(self) -> ImageSpec:
        """Return channels, size and classes without reading the disk: ``ganblocks check`` works without the data."""
        ...

    def open(self) -> Images:
        """Return the images. Raises ``DataError`` if they are missing or are not what ``describe`` says."""
        ...
