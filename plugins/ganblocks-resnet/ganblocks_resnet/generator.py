"""The residual generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import ClassVar

import attrs
import torch
from attrs import field, frozen
from attrs.validators import and_, deep_iterable, ge, in_, instance_of, min_len, optional
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import (
    Attention,
    Condition,
    ImageSpec,
    Initialization,
    Norm,
    Player,
    ReadsForeign,
    Site,
    WeightNorm,
    seed_of,
    seeded,
    sides,
    socket,
)
from ganblocks_resnet.blocks import UpBlock, conv3x3, full_precision
from ganblocks_resnet.foreign import LAYOUTS, ours
from ganblocks_resnet.layout import Stage, attended, generator_stages
from ganblocks_resnet.peers import refuse_other_functions
from ganblocks_resnet.resampling import Upsampling

_positive = deep_iterable([instance_of(int), ge(1)], instance_of(tuple))


@frozen(kw_only=True)
class ResnetGenerator(ReadsForeign):
    """Residual blocks that each double the size, from a latent vector to an image: the generator of SNGAN and SAGAN.

    z -> linear to 4×4 -> blocks -> norm -> ReLU -> 3×3 convolution -> tanh. Attention stands right after the block whose output
    has the size that ``attention_at`` names. Images have S·2ᵏ pixels, S at most 8, along each side: the first feature map is
    4×4 where it can be, and otherwise as large as it can be (7×7 for 28 pixels, 6×6 for 96, 4×8 for 64×128). There are standard
    tables of channels up to k = 7.

    Use it as the first choice at 32 to 128 pixels, and wherever blocks are to be compared, because most published comparisons
    stand in it. Where a step must be cheap use ``dcgan``.

    Source: Zhang et al. (2019), "SAGAN", arXiv:1805.08318, and its code; Miyato and Koyama (2018), "cGANs with Projection
    Discriminator", arXiv:1802.05637.

    Options:
        width: channels that a multiplier of 1 means (the papers' ch: 64 at 128 pixels, 256 at 32 pixels).
        latent: length of z.
        attention_at: feature sizes, by the shorter side, at which the attention block stands (SAGAN: 32 at 128 pixels).
        multipliers: channels of the first feature map and after each block, in units of width; absent: the standard table for
            as many blocks as the image needs.
        upsampling: of every block: "nearest" in SNGAN's and SAGAN's code, "bilinear" in mimicry; takes about twice as long.
        norm: feature norm before each ReLU of a block.
        final_norm: feature norm before the last ReLU; plain in SAGAN also where blocks have a conditional one.
        weight_norm: around every layer ("spectral" in SAGAN).
        attention: the block that stands at ``attention_at``.
        initialization: of every layer.
    """

    layouts: ClassVar[tuple[str, ...]] = LAYOUTS

    width: int = field(default=64, validator=[instance_of(int), ge(1)])
    latent: int = field(default=128, validator=[instance_of(int), ge(1)])
    attention_at: tuple[int, ...] = field(default=(), validator=_positive)
    multipliers: tuple[int, ...] | None = field(default=None, validator=optional(and_(_positive, min_len(2))))
    upsampling: Upsampling = field(default="nearest", validator=in_(("nearest", "bilinear")))
    norm: Norm = socket("norm", default="conditional_batch")
    final_norm: Norm = socket("norm", default="batch")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    attention: Attention = socket("attention", default="self_attention")
    initialization: Initialization = socket("initialization", default="xavier")

    def build(self, image: ImageSpec, site: Site) -> ResnetGeneratorNetwork:
        """Raises UnfitSize where no blocks lead to the image, PlacementError for a size in ``attention_at`` that never occurs."""
        site = attrs.evolve(site, weight_norm=self.weight_norm, initialization=self.initialization)
        stages = generator_stages(image, site, self.width, self.multipliers)
        with seeded(seed_of(site.seed, site.path)):  # layers draw when they are made, before they are initialised
            return ResnetGeneratorNetwork(site, stages, image.channels, self, self.latent, site.condition)

    def from_foreign(self, layout: str, network: nn.Module, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        refuse_other_functions(layout, Player.GENERATOR, self, theirs)
        return ours(layout, Player.GENERATOR, network, theirs)


class ResnetGeneratorNetwork(nn.Module):
    """forward(z [B, Z], label int64 [B] | None) -> image [B, channels, H, W] in [-1, 1], in float32.

    Args:
        site: the root of the network.
        stages: its blocks.
        image_channels: channels of the image.
        options: the rest of what the component says.
        latent: length of the vector that the first layer takes.
        condition: what the norms of the blocks are told; the last norm is told what the root is.
    """

    def __init__(
        self,
        site: Site,
        stages: Sequence[Stage],
        image_channels: int,
        options: ResnetGenerator,
        latent: int,
        condition: Condition,
    ) -> None:
        super().__init__()
        first, last = stages[0], stages[-1]
        attentive = attended(site, stages, options.attention_at)
        self._start = sides(first.in_size)
        self.linear = site.layer(nn.Linear(latent, first.in_channels * prod(self._start)), "linear")
        for stage in stages:
            attention = options.attention if stage.name in attentive else None
            place = site.at(stage.name, condition=condition)
            self.add_module(stage.name, UpBlock(place, stage, options.norm, attention, options.upsampling))
        self.final_norm = site.at("final_norm", channels=last.out_channels, size=last.out_size).build(options.final_norm)
        self.conv = conv3x3(site, "conv", last.out_channels, image_channels)
        self._blocks = tuple(stage.name for stage in stages)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        return self.decode(z, [label] * len(self._blocks), label)

    def decode(self, z: Tensor, conditions: Sequence[Tensor | None], label: Tensor | None) -> Tensor:
        """The image of what the first layer takes, with one condition per block."""
        x = self.linear(z).unflatten(1, (-1, *self._start)).contiguous(memory_format=torch.channels_last)
        for name, condition in zip(self._blocks, conditions, strict=True):
            x = self.get_submodule(name)(x, condition)
        x = self.conv(relu(self.final_norm(x, label)))
        return full_precision(x).tanh()
