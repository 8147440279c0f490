"""Differentiable augmentation: the discriminator sees only changed images, and the generator learns through the changes."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import torch
from attrs import field, frozen
from torch import Tensor, nn

from ganblocks import option
from ganblocks_augments.color import color_ranges, recolor
from ganblocks_augments.cutout import corner_ranges, cut_out
from ganblocks_augments.layout import laid_out
from ganblocks_augments.translation import shift_ranges, translate

POLICIES = ("color", "translation", "cutout")


def share(default: float) -> Any:
    """An option from 0 to 1."""
    return field(default=default, validator=[instance_of((int, float)), ge(0), le(1)])


@frozen(kw_only=True)
class DiffAug:
    """Random colour, translation and cutout for all that the discriminator sees, real and fake, in both players' turns.

    L(D(T(x)), D(T(G(z)))): gradients reach the generator through T. Each change draws its own numbers whether or not the
    others take part, and the same ones for the same seed on every device.

    Use it from the start where there are thousands of images rather than tens of thousands; with fewer still, or where its
    marks appear in the samples, ``ada`` turns itself up only as far as needed. Leave out of ``policy`` what would not leave an
    image plausible; "translation" alone is the mildest.

    Source: Zhao et al. (2020), "Differentiable Augmentation for Data-Efficient GAN Training", arXiv:2006.10738, section
    3; amounts as in its code.

    Options:
        policy: the changes, in the order in which they are applied: of "color", "translation" and "cutout".
        brightness: a number within ± this is added to all pixels (which are in [-1, 1]).
        saturation: distances from a pixel's mean over channels are scaled by a factor within 1 ± this; of no effect on one
            channel.
        contrast: distances from the image's mean are scaled by a factor within 1 ± this.
        translation: largest shift, as a share of the side.
        cutout: side of the erased box, as a share of the image's.
        fill: what translation brings in and cutout leaves behind. 0 is mid-grey, as in the paper's code; images on a white
            ground, such as emoji, may do better with 1.
    """

    differentiable: ClassVar[bool] = True

    policy: tuple[str, ...] = option(POLICIES)
    brightness: float = share(0.5)
    saturation: float = share(1.0)
    contrast: float = share(0.5)
    translation: float = share(0.125)
    cutout: float = share(0.5)
    fill: float = option(0.0, low=-1, high=1)

    @policy.validator
    def _each_once(self, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
        if len(set(value)) < len(value):
            raise ValueError(f"'{attribute.name}' must name each change once")

    def build(self) -> nn.Module:
        return DifferentiableAugment(self)


class DifferentiableAugment(nn.Module):
    """forward(image [B, C, H, W], rng) -> image of equal shape, type and memory format; computed in float32 or better."""

    def __init__(self, options: DiffAug) -> None:
        super().__init__()
        self.options = options

    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        changed = image.to(torch.promote_types(image.dtype, torch.float32))
        amounts = self._amounts(changed, rng)
        for name in self.options.policy:
            changed = self._change(name, changed, amounts)
        return laid_out(changed, image)

    def _amounts(self, image: Tensor, rng: torch.Generator) -> Tensor:
        """[B, 7] for the image's device: b, s, k of ``recolor``, the shift of ``translate``, the corner of ``cut_out``.

        Drawn on the processor and sent in one piece, without making the host wait.
        """
        options, (height, width) = self.options, image.shape[2:]
        ranges = [
            *color_ranges(options.brightness, options.saturation, options.contrast),
            *shift_ranges(height, width, options.translation),
            *corner_ranges(height, width, options.cutout),
        ]
        low, high = torch.tensor(ranges, dtype=torch.float64, device="cpu").unbind(1)
        amounts = torch.lerp(low, high, torch.rand(len(image), 7, generator=rng, dtype=torch.float64, device="cpu"))
        amounts[:, 3:].floor_()
        return amounts.to(image.device, image.dtype, non_blocking=True)

    def _change(self, name: str, image: Tensor, amounts: Tensor) -> Tensor:
        if name == "color":
            return recolor(image, amounts[:, :3])
        if name == "translation":
            return translate(image, amounts[:, 3:5], self.options.fill)
        return cut_out(image, amounts[:, 5:], self.options.cutout, self.options.fill)
