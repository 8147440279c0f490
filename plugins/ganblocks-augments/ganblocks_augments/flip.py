"""Horizontal flips."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import option
from ganblocks_augments.pixels import mirror


@frozen(kw_only=True)
class Flip:
    """Flip each image left to right with some probability, independently of the others.

    T(x)[c, h, w] = x[c, h, W - 1 - w].

    Use it on data whose mirrored images are as plausible (faces, animals; not digits or letters): it doubles the images.

    Source: Krizhevsky et al. (2012), "ImageNet Classification with Deep Convolutional Neural Networks",
    doi:10.1145/3065386, section 4.1.

    Options:
        probability: probability of a flip.
    """

    differentiable: ClassVar[bool] = True

    probability: float = option(0.5, low=0, high=1)

    def build(self) -> nn.Module:
        """Return the module: (image [B, C, H, W], rng) -> image."""
        return HorizontalFlip(self.probability)


class HorizontalFlip(nn.Module):
    """forward(image [B, C, H, W], rng) -> image of equal shape."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        """Return image [B, C, H, W] with some images flipped."""
        chosen = torch.rand(len(image), 1, 1, 1, generator=rng, device="cpu") < self.probability
        return mirror(image, chosen.to(image.device, non_blocking=True))
