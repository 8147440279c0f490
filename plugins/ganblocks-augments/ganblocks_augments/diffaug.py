"""Differentiable augmentation: the discriminator sees only augmented images; the generator gets gradients through them."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import full_precision, option
from ganblocks_augments.color import color_ranges, recolor
from ganblocks_augments.common import distinct, laid_out, uniform
from ganblocks_augments.cutout import corner_ranges, cut_out
from ganblocks_augments.translation import shift_ranges, translate

Change = Literal["color", "translation", "cutout"]


@frozen(kw_only=True)
class DiffAug:
    """Change colours, translate and cut out in every input of the discriminator, real and fake, in both players' turns.

    L(D(T(x)), D(T(G(z)))): gradients reach the generator through T. The numbers of a change do not depend on which other
    changes are in the policy, or on the device.

    Use it where there are thousands of images rather than tens of thousands. With fewer, or if its artefacts appear in samples,
    use ``ada``, which adapts its strength. Leave out of ``policy`` changes that make images implausible; "translation" alone is
    the mildest.

    Source: Zhao et al. (2020), "Differentiable Augmentation for Data-Efficient GAN Training", arXiv:2006.10738, section
    3; amounts as in its code.

    Options:
        policy: the changes, in the order in which they are applied: "color", "translation", "cutout".
        brightness: a number within ± this is added to all pixels (which are in [-1, 1]).
        saturation: distances from a pixel's mean over channels are scaled by a factor within 1 ± this; without effect on one
            channel.
        contrast: distances from the image's mean are scaled by a factor within 1 ± this.
        translation: largest shift, as a share of the side.
        cutout: side of the erased box, as a share of the image's.
        fill: value of the pixels that translation uncovers and cutout erases. 0 is mid-grey, as in the paper's code; 1 may be
            better for images on a white background, such as emoji.
    """

    differentiable: ClassVar[bool] = True

    policy: tuple[Change, ...] = option(("color", "translation", "cutout"), min_items=1, validator=distinct)
    brightness: float = option(0.5, low=0, high=1)
    saturation: float = option(1.0, low=0, high=1)
    contrast: float = option(0.5, low=0, high=1)
    translation: float = option(0.125, low=0, high=1)
    cutout: float = option(0.5, low=0, high=1)
    fill: float = option(0.0, low=-1, high=1)

    def build(self) -> nn.Module:
        """Return the module: (image [B, C, H, W], rng) -> image."""
        return DifferentiableAugment(self)


class DifferentiableAugment(nn.Module):
    """forward(image [B, C, H, W], rng) -> image of equal shape, type and memory format; computed in float32 at least."""

    def __init__(self, options: DiffAug) -> None:
        super().__init__()
        self.options = options

    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        """Return image [B, C, H, W] changed, in its type and memory format."""
        changed = full_precision(image)
        amounts = self._amounts(changed, rng)
        for name in self.options.policy:
            changed = self._change(name, changed, amounts)
        return laid_out(changed, image)

    def _amounts(self, image: Tensor, rng: torch.Generator) -> Tensor:
        """Draw [B, 7] on the CPU, for the image's device: b, s, k of ``recolor``, a shift, the corner of ``cut_out``."""
        options, (height, width) = self.options, image.shape[2:]
        ranges = [
            *color_ranges(options.brightness, options.saturation, options.contrast),
            *shift_ranges(height, width, options.translation),
            *corner_ranges(height, width, options.cutout),
        ]
        amounts = uniform(ranges, len(image), rng)
        amounts[:, 3:].floor_()
        return amounts.to(image.device, image.dtype, non_blocking=True)

    def _change(self, name: str, image: Tensor, amounts: Tensor) -> Tensor:
        if name == "color":
            return recolor(image, amounts[:, :3])
        if name == "translation":
            return translate(image, amounts[:, 3:5], self.options.fill)
        return cut_out(image, amounts[:, 5:], self.options.cutout, self.options.fill)
