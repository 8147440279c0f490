"""Anyone's own images: a folder, or one folder per class."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal

import attrs
import numpy as np
import torch
from attrs import field
from attrs.validators import ge, gt, in_, instance_of, le
from torch import Tensor

from ganblocks import DataError, Images, ImageSpec
from ganblocks_data.decoding import decode
from ganblocks_data.listing import Listing, list_images
from ganblocks_data.memory import in_memory, split
from ganblocks_data.splits import by_name

MEMORY = 512 * 2**20
"""Bytes of decoded images that are kept in memory; a larger folder is read batch by batch."""


@attrs.frozen(kw_only=True)
class ImageFolder:
    """Images of a local folder: ``path/class/image``, or ``path/image`` without labels.

    Images of any mode become upright 8-bit squares: transparency on white, 16-bit grey scaled, the shorter side resized to
    ``size`` (antialiased bicubic), centre crop. Classes are numbered in the order of their names, as torchvision's ImageFolder
    does. Where the decoded images fit into 512 MiB they are all read when the folder is opened; otherwise every batch is read
    when it is asked for, by several threads, and a file that cannot be read is found only then.

    Source: the layout of torchvision.datasets.ImageFolder; resizing as recommended by Parmar et al. 2022, On Aliased Resizing
    (arXiv:2104.11222).

    Options:
        path: the folder.
        size: height and width in pixels.
        channels: 3 for RGB, 1 for grey.
        classes: how many class folders there are; 0 for a folder of images without labels.
        held_out: share of the images that are held out, decided by the SHA-256 of their relative names.
    """

    path: str = field(validator=instance_of(str))
    size: int = field(validator=[instance_of(int), gt(0)])
    channels: Literal[1, 3] = field(default=3, validator=in_((1, 3)))
    classes: int = field(default=0, validator=[instance_of(int), ge(0)])
    held_out: float = field(default=0.1, validator=[instance_of((float, int)), ge(0), le(0.5)])

    def describe(self) -> ImageSpec:
        return ImageSpec(channels=self.channels, size=self.size, classes=self.classes)

    def open(self) -> Images:
        """List the folder, and decode it where it fits into memory.

        Raises:
            DataError: the folder is missing, is laid out in another way, or holds something that is no image.
        """
        root = Path(self.path).expanduser().absolute()
        listing = list_images(root, self.classes)
        held_out = by_name(listing.names, self.held_out)
        if held_out.all():
            raise DataError(f"{root} holds too few images: all {len(held_out)} are held out; add images or say held_out = 0.0")
        read = partial(_read, [root / name for name in listing.names], self.size, self.channels, ThreadPoolExecutor())
        labels = torch.tensor(listing.labels)
        if len(labels) * self.channels * self.size**2 <= MEMORY:
            return in_memory(read(torch.arange(len(labels))), labels, held_out)
        return Images(read=read, labels=labels, fingerprint=self._fingerprint(listing), split=split(held_out))

    def _fingerprint(self, listing: Listing) -> str:
        """Of names, sizes and options: reading every file would take minutes."""
        options = attrs.asdict(self, filter=attrs.filters.exclude("path"))
        return hashlib.sha256(json.dumps([options, attrs.astuple(listing)], sort_keys=True).encode()).hexdigest()


def _read(files: list[Path], size: int, channels: int, pool: ThreadPoolExecutor, indices: Tensor) -> Tensor:
    """int64 [B] -> uint8 [B, C, H, W]. Tries every file, so that one error names all that are broken (five of them in full)."""
    batch = np.empty((len(indices), channels, size, size), np.uint8)

    def fill(place: int, index: int) -> str | None:
        try:
            batch[place] = decode(files[index], size, channels)
        except DataError as error:
            return str(error)
        return None

    if errors := [error for error in pool.map(fill, range(len(indices)), indices.tolist()) if error]:
        more = f"\n... and {len(errors) - 5} more" if len(errors) > 5 else ""
        raise DataError("\n".join(errors[:5]) + more)
    return torch.from_numpy(batch)
