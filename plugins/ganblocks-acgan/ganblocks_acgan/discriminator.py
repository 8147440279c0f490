"""The discriminator of AC-GAN."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

import attrs
from attrs import field, frozen
from attrs.validators import and_, deep_iterable, ge, in_, instance_of, le, lt, min_len, optional
from torch import Tensor, nn
from torch.nn.functional import dropout, leaky_relu

from ganblocks import (
    Conditioning,
    ImageSpec,
    Initialization,
    Norm,
    Score,
    Site,
    Size,
    WeightNorm,
    seed_of,
    seeded,
    sides,
    socket,
)
from ganblocks_acgan.layout import discriminator_multipliers, discriminator_padding, discriminator_sizes
from ganblocks_acgan.precision import full_precision

_positive = deep_iterable([instance_of(int), ge(1)], instance_of(tuple))


@frozen(kw_only=True)
class AcganDiscriminator:
    """Six convolutions with dropout, from an image to a head over the whole last map: the discriminator of the 2017 paper.

    image -> stages -> flatten -> head, where a stage is a convolution of 3×3 without bias, a norm (not in the first), LeakyReLU
    and dropout. Strides are 2, 1, 2, 1, 2, 1; convolutions of stride 2 have a padding of 1, the others that of ``padding``. At
    128 pixels sizes are 64, 62, 31, 29, 15, 13, and the head sees 13·13·512 numbers (2,525,563 parameters with the auxiliary
    classifier for 10 classes). Smaller images, for which the paper gives no paddings, are padded throughout: 32 pixels end at
    4×4. Below 16 pixels there are four stages.

    Dropout draws from torch's global random numbers, which every turn of a game seeds from its batch: an objective repeats.

    Use it to see what the 2017 networks do: dropout and batch norm are what kept them from memorising, where later ones have
    spectral norm and augmentation. For good images use resnet.

    Source: Odena, Olah and Shlens (2017), "Conditional Image Synthesis with Auxiliary Classifier GANs", arXiv:1610.09585,
    appendix A, tables 1 and 2.

    Options:
        width: channels that a multiplier of 1 means.
        multipliers: channels after each convolution, in units of width; absent: 1, 2, 4, 8, 16, 32.
        padding: of the convolutions of stride 1; absent: 0 from 64 pixels on, 1 below.
        dropout: share of activations that are dropped after each stage in training.
        slope: of LeakyReLU, for negative values.
        conditioning: the head.
        norm: feature norm of all stages but the first.
        weight_norm: around every layer.
        initialization: of every layer.
    """

    width: int = field(default=16, validator=[instance_of(int), ge(1)])
    multipliers: tuple[int, ...] | None = field(default=None, validator=optional(and_(_positive, min_len(1))))
    padding: Literal[0, 1] | None = field(default=None, validator=optional(in_((0, 1))))
    dropout: float = field(default=0.5, validator=[instance_of((int, float)), ge(0), le(0.9)])
    slope: float = field(default=0.2, validator=[instance_of((int, float)), ge(0), lt(1)])
    conditioning: Conditioning = socket("conditioning", default="auxiliary_classifier")
    norm: Norm = socket("norm", default="batch")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    initialization: Initialization = socket("initialization", default="normal")

    def build(self, image: ImageSpec, site: Site) -> AcganDiscriminatorNetwork:
        """Raises UnfitSize or PlacementError where images are too small for the convolutions."""
        site = attrs.evolve(site, weight_norm=self.weight_norm, initialization=self.initialization)
        multipliers = discriminator_multipliers(image.size, self.multipliers)
        padding = discriminator_padding(image.size, self.padding)
        sizes = discriminator_sizes(image.size, multipliers, padding, site)
        channels = [self.width * each for each in multipliers]
        with seeded(seed_of(site.seed, site.path)):  # layers draw when they are made, before they are initialised
            return AcganDiscriminatorNetwork(site, image.channels, channels, sizes, padding, self)


class AcganDiscriminatorNetwork(nn.Module):
    """forward(image [B, channels, H, W], label int64 [B] | None) -> Score, in float32."""

    def __init__(
        self,
        site: Site,
        image_channels: int,
        channels: Sequence[int],
        sizes: Sequence[Size],
        padding: int,
        options: AcganDiscriminator,
    ) -> None:
        super().__init__()
        self._stages = tuple(f"stage{i}" for i in range(1, len(channels) + 1))
        for i, name in enumerate(self._stages):
            halves, into = i % 2 == 0, channels[i - 1] if i else image_channels
            conv = nn.Conv2d(into, channels[i], 3, stride=2 if halves else 1, padding=1 if halves else padding, bias=False)
            place = site.at(name, channels=channels[i], size=sizes[i])
            self.add_module(name, Stage(place, conv, options.norm if i else None, options.slope, options.dropout))
        self.head = site.at("head", channels=channels[-1] * prod(sides(sizes[-1])), size=1).build(options.conditioning)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Score:
        x = image
        for name in self._stages:
            x = self.get_submodule(name)(x, label)
        score: Score = self.head(full_precision(x).flatten(1), label)
        return score


class Stage(nn.Module):
    """x [B, in, H, W] and a label -> [B, C, h, w], C = ``site.channels``, h × w the place's size."""

    def __init__(self, site: Site, conv: nn.Conv2d, norm: Norm | None, slope: float, drop: float) -> None:
        super().__init__()
        self.conv = site.layer(conv, "conv")
        self.norm = None if norm is None else site.at("norm").build(norm)
        self.slope, self.drop = slope, drop

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x, label)
        return dropout(leaky_relu(x, self.slope), self.drop, self.training)
