"""Horizontal flips."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import option


@frozen(kw_only=True)
class Flip:
    """Mirror each image left to right with some probability, independently of the others.

    T(x)[c, h, w] = x[c, h, W - 1 - w].

    Use it on the data, where a mirrored image is as plausible (faces, animals; not digits or letters): it doubles the images.

    Source: Krizhevsky et al. (2012), "ImageNet Classification with Deep Convolutional Neural Networks",
    doi:10.1145/3065386, section 4.1.

    Options:
        probability: of a flip.
    """

    differentiable: ClassVar[bool] = True

    probability: float = option(0.5, low=0, high=1)

    def build(self) -> nn.Module:
        return HorizontalFlip(self.probability)


class HorizontalFlip(nn.Module):
    """forward(image [B, C, H, W], rng) -> image of equal shape."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        chosen = torch.rand(len(image), 1, 1, 1, generator=rng, device="cpu") < self.probability
        return torch.where(chosen.to(image.device, non_blocking=True), image.flip(3), image)
