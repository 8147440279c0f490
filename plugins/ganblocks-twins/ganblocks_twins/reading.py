"""Reading textures back from any image."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from attrs import field, frozen
from attrs.validators import ge, instance_of, le
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, unfold

from ganblocks import Features
from ganblocks_twins.dataset import GROUND


def _count(default: int, low: int, high: int) -> Any:
    return field(default=default, validator=[instance_of(int), ge(low), le(high)])


@frozen(kw_only=True)
class TwinsReader:
    """The texture that stands most clearly in each half of an image: 2 · cells² numbers, the left half's first.

    In each half every place is tried, and the one whose cells differ most from the ground, all together, is taken. A number is
    the mean of a cell above the ground, over half of the range of pixels: above 0 for a light cell, below for a dark one.

    Use it with the data set ``twins`` and the metric ``agreement``, and with the same size, cells and cell as the data. On
    other images what it reads means nothing.

    Source: made for ganblocks; no paper.

    Options:
        size: images of another size, or that are not square, are resized to it.
        cells, cell: those of the data set.
    """

    named: ClassVar[str] = "twins"

    size: int = _count(16, 8, 256)
    cells: int = _count(3, 1, 7)
    cell: int = _count(2, 1, 32)

    def __attrs_post_init__(self) -> None:
        if 2 * self.cells * self.cell > self.size:
            raise ValueError(f"a texture of {self.cells * self.cell} pixels does not fit into half of {self.size} pixels")

    def protocol(self) -> dict[str, str]:
        texture = f"{self.cells} x {self.cells} cells of {self.cell} pixels"
        return {"features": f"the clearest texture of {texture} in each half", "resize": f"bilinear, to {self.size}"}

    def open(self) -> nn.Module:
        return _Reader(self)


class _Reader(nn.Module):
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
    """[B, 1, H, W] above the ground -> [B, cells²]: the means of the cells where they differ most from the ground."""
    means = avg_pool2d(image, cell, stride=1)
    textures = unfold(means, cells, dilation=cell)
    best = textures.abs().sum(1).argmax(1)
    return textures.gather(2, best.view(-1, 1, 1).expand(-1, textures.shape[1], 1)).squeeze(2)
