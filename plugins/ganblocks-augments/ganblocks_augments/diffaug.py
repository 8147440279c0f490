"""Differentiable augmentation: the discriminator sees only changed images, and the generator learns through the changes."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import torch
from attrs import field, frozen
from attrs.validators import deep_iterable, ge, in_, instance_of, le, min_len
from torch import Tensor, nn

from ganblocks_augments.color import recolor
from ganblocks_augments.cutout import cut_out
from ganblocks_augments.draws import uniform
from ganblocks_augments.translation import translate

POLICIES = ("color", "translation", "cutout")


def share(default: float) -> Any:
    """An option from 0 to 1."""
    return field(default=default, validator=[instance_of((int, float)), ge(0), le(1)])


@frozen(kw_only=True)
class DiffAug:
    """Random colour, translation and cutout for all that the discriminator sees, real and fake, in both players' turns.

    L(D(T(x)), D(T(G(z)))): gradients reach the generator through T. Each change draws its own numbers whether or not the
    others take part, and the same ones for the same seed on every device.

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

    policy: tuple[str, ...] = field(default=POLICIES, validator=[instance_of(tuple), min_len(1), deep_iterable(in_(POLICIES))])
    brightness: float = share(0.5)
    saturation: float = share(1.0)
    contrast: float = share(0.5)
    translation: float = share(0.125)
    cutout: float = share(0.5)
    fill: float = field(default=0.0, validator=[instance_of((int, float)), ge(-1), le(1)])

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
        draws = uniform(rng, len(image), 7, image.device)
        for name in self.options.policy:
            changed = self._change(name, changed, draws)
        last = image.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        return changed.to(image.dtype).contiguous(memory_format=layout)

    def _change(self, name: str, image: Tensor, draws: Tensor) -> Tensor:
        options = self.options
        if name == "color":
            return recolor(image, draws[:, :3], options.brightness, options.saturation, options.contrast)
        if name == "translation":
            return translate(image, draws[:, 3:5], options.translation, options.fill)
        return cut_out(image, draws[:, 5:], options.cutout, options.fill)
