"""Flips and small shifts, which usually keep the content of an image."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import option
from ganblocks_augments.common import laid_out
from ganblocks_augments.flip import HorizontalFlip
from ganblocks_augments.translation import draw_shifts, translate


@frozen(kw_only=True)
class FlipTranslation:
    """Flip each image left to right with some probability, then shift it by a few whole pixels.

    T(x)[c, h, w] = y[c, h - i, w - j], where y is x or its mirror image, and i and j are uniform over the integers up to
    ``translation`` of a side in both directions.

    Use it as the T of ``consistency`` and ``balanced_consistency``; as data where mirrored images are plausible
    (``probability = 0`` where they are not: digits, letters).

    Source: Zhang et al. (2020), "Consistency Regularization for Generative Adversarial Networks", arXiv:1910.12027, which finds
    flips and shifts better than noise or cutout. How far to shift is PyTorch-StudioGAN's, which fills in the mirrored edge.

    Options:
        probability: probability of a flip.
        translation: largest shift, as a share of the side.
        fill: value of the pixels that a shift uncovers; 1 is better for images on a white background.
    """

    differentiable: ClassVar[bool] = True

    probability: float = option(0.5, low=0, high=1)
    translation: float = option(0.125, low=0, high=1)
    fill: float = option(0.0, low=-1, high=1)

    def build(self) -> nn.Module:
        """Return the module: (image [B, C, H, W], rng) -> image."""
        return FlipAndShift(self)


class FlipAndShift(nn.Module):
    """forward(image [B, C, H, W], rng) -> image of equal shape."""

    def __init__(self, options: FlipTranslation) -> None:
        super().__init__()
        self.flip = HorizontalFlip(options.probability)
        self.options = options

    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        """Return image [B, C, H, W] changed, in its type and memory format."""
        flipped = self.flip(image, rng)
        shift = draw_shifts(image, self.options.translation, rng)
        return laid_out(translate(flipped, shift, self.options.fill), image)
