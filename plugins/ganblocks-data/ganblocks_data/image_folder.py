"""Your own images: a folder, or one folder per class."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Literal, Self

import attrs
import torch

from ganblocks import ClassCount, DataError, Finding, Images, ImageSpec, Inspects, Size, as_size, option
from ganblocks_data.contents import SAMPLED, sampled
from ganblocks_data.inspecting import inspect, too_many, unreadable_files
from ganblocks_data.listing import Listing, folders_in, list_images, survey
from ganblocks_data.memory import in_memory, split
from ganblocks_data.reading import Reader
from ganblocks_data.splits import by_name

MEMORY = 512 * 2**20
"""Most bytes of decoded images that are kept in memory; a larger folder is read batch by batch."""


@attrs.frozen(kw_only=True)
class ImageFolder(Inspects):
    """Images of a local folder: ``path/class/image``, or ``path/image`` without labels.

    PNG, JPEG, WebP and BMP of any mode become upright 8-bit images of one size: transparency on white, 16-bit grey scaled,
    resized to cover ``size`` (antialiased bicubic; a square is covered by the shorter side), cropped at the centre. A warning
    counts the changes. A class has the name of its folder; classes are numbered in the order of these names as text (1, 10, 2),
    as in torchvision's ImageFolder. If the decoded images fit into 512 MiB they are read on opening. Otherwise several threads
    read each batch while the step before computes, and an unreadable file is only found then, unless ``ganblocks check --data``
    has found it before. The fingerprint of such a folder begins with ``sampled:`` and covers names, sizes and 12 KiB of each
    file.

    Use it for your own images, and for ImageNet. Images of very different proportions lose what lies outside the centre:
    crop them first, or choose a ``size`` of their proportions.

    Source: Parmar, Zhang and Zhu (2022), "On Aliased Resizing and Surprising Subtleties in GAN Evaluation", arXiv:2104.11222
    (the resizing); the layout is that of torchvision.datasets.ImageFolder.

    Options:
        path: the folder.
        size: height and width in pixels: one number for both, or [height, width].
        channels: 3 for RGB, 1 for grey.
        classes: number of class folders; 0 for a folder of images without labels.
        held_out: share of images that are held out, decided by the SHA-256 of their relative names; each class keeps at least
            one training image.
        on_bad: "error" names every file that cannot be read; "skip" leaves out at most 1 % of the files, with a warning.
    """

    path: Path = option(converter=Path)
    size: Size = option(converter=as_size)
    channels: Literal[1, 3] = option(3)
    classes: int = option(0, low=0)
    held_out: float = option(0.1, low=0, high=0.5)
    on_bad: Literal["error", "skip"] = option("error")

    def describe(self) -> ImageSpec:
        """Return the facts of the images, without reading the folder."""
        return ImageSpec(channels=self.channels, size=self.size, classes=self.classes)

    def open(self) -> Images:
        """List the folder, and decode it if it fits into memory. Raise DataError for a wrong layout or unreadable images."""
        root = self._root
        listing = list_images(root, self.classes)
        if self.on_bad == "skip":
            listing = self._without_bad(listing)
        held_out = by_name(listing.names, listing.labels, self.held_out)
        read = Reader([root / name for name in listing.names], self.size, self.channels)
        labels = torch.tensor(listing.labels)
        if len(labels) * prod(self.describe().shape) <= MEMORY:
            pixels = read(torch.arange(len(labels)))
            read.warn_of_changes(root)
            return attrs.evolve(in_memory(pixels, labels, held_out), class_names=listing.classes)
        return Images(
            read=read.warning,
            labels=labels,
            fingerprint=self._fingerprint(listing, sampled(read.files)),
            split=split(held_out),
            class_names=listing.classes,
            former=(self._fingerprint(listing),),
            begin=read.begin,
        )

    def inspect(self) -> Iterator[Finding]:
        """Decode every file of the folder and yield what is wrong or doubtful; memory does not grow with the folder."""
        yield from inspect(self._root, self.classes, self.size, self.channels, self.on_bad == "skip")

    def count(self) -> tuple[ClassCount, ...]:
        """Return the number of training images of each class, before any are skipped; no file is opened."""
        listing, _ = survey(self._root, self.classes)
        held_out = by_name(listing.names, listing.labels, self.held_out).tolist()
        trained = Counter(label for label, out in zip(listing.labels, held_out, strict=True) if not out)
        return tuple(ClassCount(name, trained[number]) for number, name in enumerate(listing.classes))

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """Return the data set of a folder at 64 pixels with the classes that it has; None if it is no folder."""
        return cls(path=path, size=64, classes=len(folders_in(path))) if path.is_dir() else None

    @property
    def _root(self) -> Path:
        return self.path.expanduser().absolute()

    def _without_bad(self, listing: Listing) -> Listing:
        """Return the listing of the readable files. Raise DataError if too many cannot be read."""
        errors = unreadable_files(self._root, listing, self.size, self.channels)
        lines = "\n".join(f"{self._root / listing.names[index]} {error}" for index, error in errors.items())
        if refused := too_many(len(errors), len(listing.names)):
            raise DataError(f"{lines}\n{refused}")
        if errors:
            warnings.warn(f"{len(errors)} of {len(listing.names)} files are skipped:\n{lines}", stacklevel=3)
        return listing.without(errors)

    def _fingerprint(self, listing: Listing, contents: str = "") -> str:
        """Hash names, sizes, options and ``contents``, a hash of a part of each file: all of it would take minutes."""
        options = attrs.asdict(self, filter=attrs.filters.exclude("path", "on_bad"))
        facts = [options, [listing.names, listing.labels, listing.sizes], *filter(None, [contents])]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return f"{SAMPLED}{digest}" if contents else digest
