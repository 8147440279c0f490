"""Anyone's own images: a folder, or one folder per class."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Literal, Self

import attrs
import torch
from attrs import field
from attrs.validators import ge, in_, instance_of, le

from ganblocks import DataError, Finding, Images, ImageSpec, Inspects, Size, as_size
from ganblocks_data.inspecting import inspect, readable, too_many
from ganblocks_data.listing import Listing, folders_in, list_images
from ganblocks_data.memory import in_memory, split
from ganblocks_data.reading import Reader
from ganblocks_data.splits import by_name

MEMORY = 512 * 2**20
"""Bytes of decoded images that are kept in memory; a larger folder is read batch by batch."""


@attrs.frozen(kw_only=True)
class ImageFolder(Inspects):
    """Images of a local folder: ``path/class/image``, or ``path/image`` without labels.

    PNG, JPEG, WebP and BMP of any mode become upright 8-bit images of one size: transparency on white, 16-bit grey scaled,
    resized until they cover ``size`` (antialiased bicubic; for a square that is the shorter side), centre crop; a warning
    counts what was changed. Classes are numbered in the order of their names, as torchvision's ImageFolder does. Where the
    decoded images fit into 512 MiB they are all read when the folder is opened; otherwise every batch is read when it is asked
    for, by several threads, and a file that cannot be read is found only then, unless ``ganblocks check --data`` has named it
    before.

    Use it for your own images, and for ImageNet. Images of very unlike proportions lose what lies outside the centre:
    crop them beforehand, or choose a ``size`` of their proportions.

    Source: Parmar, Zhang and Zhu (2022), "On Aliased Resizing and Surprising Subtleties in GAN Evaluation", arXiv:2104.11222
    (the resizing); the layout is that of torchvision.datasets.ImageFolder.

    Options:
        path: the folder.
        size: height and width in pixels, one number for both; or [height, width].
        channels: 3 for RGB, 1 for grey.
        classes: how many class folders there are; 0 for a folder of images without labels.
        held_out: share of the images that are held out, decided by the SHA-256 of their relative names.
        on_bad: ``error`` names every file that cannot be read; ``skip`` leaves them out, at most 1 %, and a warning lists them.
    """

    path: str = field(validator=instance_of(str))
    size: Size = field(converter=as_size)
    channels: Literal[1, 3] = field(default=3, validator=in_((1, 3)))
    classes: int = field(default=0, validator=[instance_of(int), ge(0)])
    held_out: float = field(default=0.1, validator=[instance_of((float, int)), ge(0), le(0.5)])
    on_bad: Literal["error", "skip"] = field(default="error", validator=in_(("error", "skip")))

    def describe(self) -> ImageSpec:
        return ImageSpec(channels=self.channels, size=self.size, classes=self.classes)

    def open(self) -> Images:
        """List the folder, and decode it where it fits into memory.

        Raises:
            DataError: the folder is missing, is laid out in another way, or holds something that is no image.
        """
        root = self._root
        listing = list_images(root, self.classes)
        if self.on_bad == "skip":
            listing = self._without_bad(listing)
        held_out = by_name(listing.names, self.held_out)
        if held_out.all():
            raise DataError(f"{root} {_too_few(len(held_out))}")
        read = Reader([root / name for name in listing.names], self.size, self.channels)
        labels = torch.tensor(listing.labels)
        if len(labels) * prod(self.describe().shape) <= MEMORY:
            pixels = read(torch.arange(len(labels)))
            read.warn_of_changes(root)
            return in_memory(pixels, labels, held_out)
        return Images(read=read.warning, labels=labels, fingerprint=self._fingerprint(listing), split=split(held_out))

    def inspect(self) -> Iterator[Finding]:
        """Decode every file of the folder; memory does not grow with it."""
        left = yield from inspect(self._root, self.classes, self.size, self.channels, self.on_bad == "skip")
        if left.names and by_name(left.names, self.held_out).all():
            yield Finding(str(self._root), "too few images", _too_few(len(left.names)), fatal=True)

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """The folder at 64 pixels, with the classes that it has."""
        return cls(path=str(path), size=64, classes=len(folders_in(path))) if path.is_dir() else None

    @property
    def _root(self) -> Path:
        return Path(self.path).expanduser().absolute()

    def _without_bad(self, listing: Listing) -> Listing:
        """Raises DataError where too many files cannot be read."""
        bad = readable(self._root, listing, self.size, self.channels)
        lines = "\n".join(f"{self._root / listing.names[place]} {words}" for place, words in bad.items())
        if refused := too_many(len(bad), len(listing.names)):
            raise DataError(f"{lines}\n{refused}")
        if bad:
            warnings.warn(f"{len(bad)} of {len(listing.names)} files are skipped:\n{lines}", stacklevel=3)
        return listing.without(set(bad))

    def _fingerprint(self, listing: Listing) -> str:
        """Of names, sizes and options: reading every file would take minutes."""
        options = attrs.asdict(self, filter=attrs.filters.exclude("path", "on_bad"))
        return hashlib.sha256(json.dumps([options, attrs.astuple(listing)], sort_keys=True).encode()).hexdigest()


def _too_few(images: int) -> str:
    return f"holds too few images: all {images} are held out; add images or say held_out = 0.0"
