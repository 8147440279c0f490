"""Textures read back from any image."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, unfold

from ganblocks import Features, option
from ganblocks_twins.dataset import GROUND


@frozen(kw_only=True)
class TwinsReader:
    """The clearest texture in each half of an image: 2 · cells² numbers, the left half's first.

    Of all positions in a half it takes the one whose cells differ most from the background in total. A number is the mean of a
    cell above the background, over half of the range of pixels: above 0 for a light cell, below for a dark one.

    Use it with the data set ``twins`` and the metric ``agreement``, and with the same size, cells and cell as the data. On
    other images its numbers are meaningless.

    Source: made for ganblocks; no paper.

    Options:
        size: images of another size, or that are not square, are resized to it.
        cells, cell: those of the data set.
    """

    named: ClassVar[str] = "twins"

    size: int = option(16, low=8, high=256)
    cells: int = option(3, low=1, high=7)
    cell: int = option(2, low=1, high=32)

    def __attrs_post_init__(self) -> None:
        if 2 * self.cells * self.cell > self.size:
            raise ValueError(f"a texture of {self.cells * self.cell} pixels does not fit into half of {self.size} pixels")

    def protocol(self) -> dict[str, str]:
        """Return the size of textures and of the resized image."""
        texture = f"{self.cells} x {self.cells} cells of {self.cell} pixels"
        return {"features": f"the clearest texture of {texture} in each half", "resize": f"bilinear, to {self.size}"}

    def open(self) -> nn.Module:
        """Return the module that reads textures."""
        return _Reader(self)


class _Reader(nn.Module):
    """forward(image uint8 [B, C, H, W]) -> Features of [B, 2 · cells²]."""

    def __init__(self, options: TwinsReader) -> None:
        super().__init__()
        self.options = options

    def forward(self, image: Tensor) -> Features:
        size = self.options.size
        grey = image.float().mean(1, keepdim=True)
        if grey.shape[2:] != (size, size):
            grey = interpolate(grey, (size, size), mode="bilinear", antialias=True)
        above = (grey - GROUND) / 127.5
        halves = above[..., : size // 2], above[..., size // 2 :]
        return Features(torch.cat([clearest(half, self.options.cells, self.options.cell) for half in halves], 1))


def clearest(image: Tensor, cells: int, cell: int) -> Tensor:
    """Return the means [B, cells²] of the cells at the position where they differ most from 0, for an image [B, 1, H, W]."""
    means = avg_pool2d(image, cell, stride=1)
    textures = unfold(means, cells, dilation=cell)
    best = textures.abs().sum(1).argmax(1)
    return textures.gather(2, best.view(-1, 1, 1).expand(-1, textures.shape[1], 1)).squeeze(2)
