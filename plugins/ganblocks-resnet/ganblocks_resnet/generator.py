"""The residual generator."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import (
    Attention,
    Condition,
    ImageSpec,
    Initialization,
    Norm,
    Player,
    Site,
    WeightNorm,
    full_precision,
    option,
    sides,
    socket,
)
from ganblocks_resnet.blocks import UpBlock, conv
from ganblocks_resnet.foreign import ReadsWeights
from ganblocks_resnet.layout import Stage, blocks_with_attention, generator_stages
from ganblocks_resnet.resampling import Upsampling


@frozen(kw_only=True)
class ResnetGenerator(ReadsWeights):
    """Residual blocks that each double the size, from a latent vector to an image: the generator of SNGAN and SAGAN.

    z -> linear to 4×4 -> blocks -> norm -> ReLU -> 3×3 convolution -> tanh. Attention follows the block whose output has a size
    in ``attention_at``. Each side of the image has S·2ᵏ pixels with S at most 8. The first feature map is 4×4 if possible,
    otherwise as large as possible (7×7 for 28 pixels, 6×6 for 96, 4×8 for 64×128). There are standard tables of channels up to
    k = 7.

    Use it as the first choice at 32 to 128 pixels, and to compare blocks, because most published comparisons use it. Where
    steps must be cheap use ``dcgan``.

    Source: Zhang et al. (2019), "SAGAN", arXiv:1805.08318, and its code; Miyato and Koyama (2018), "cGANs with Projection
    Discriminator", arXiv:1802.05637.

    Options:
        width: channels per unit of ``multipliers`` (the papers' ch: 64 at 128 pixels, 256 at 32 pixels).
        latent: length of z.
        attention_at: sizes of the feature maps that get the attention block, by their shorter side (SAGAN: 32 at 128 pixels).
        multipliers: channels of the first feature map and after each block, in units of ``width``; default: the standard table
            for as many blocks as the image needs.
        upsampling: "nearest" as in SNGAN's and SAGAN's code, or "bilinear" as in mimicry, which takes about twice as long.
        norm: feature norm before each ReLU of a block.
        final_norm: feature norm before the last ReLU; in SAGAN plain even if the blocks have a conditional one.
        weight_norm: weight norm of every layer ("spectral" in SAGAN).
        attention: the attention block.
        initialization: initialization of every layer.
    """

    player: ClassVar[Player] = Player.GENERATOR

    width: int = option(64, low=1)
    latent: int = option(128, low=1)
    attention_at: tuple[int, ...] = option((), low=1)
    multipliers: tuple[int, ...] | None = option(None, low=1, min_items=2)
    upsampling: Upsampling = option("nearest")
    norm: Norm = socket("norm", default="conditional_batch")
    final_norm: Norm = socket("norm", default="batch")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    attention: Attention = socket("attention", default="self_attention")
    initialization: Initialization = socket("initialization", default="xavier")

    def build(self, image: ImageSpec, site: Site) -> ResnetGeneratorNetwork:
        """Build the network. Raise UnfitSize or PlacementError if image size, multipliers or ``attention_at`` do not fit."""
        with site.seeded(weight_norm=self.weight_norm, initialization=self.initialization) as site:
            stages = generator_stages(image, site, self.width, self.multipliers)
            return ResnetGeneratorNetwork(site, stages, image.channels, self, self.latent, site.condition)


class ResnetGeneratorNetwork(nn.Module):
    """A linear layer to the first feature map, blocks, and a convolution to the image.

    Args:
        site: the root of the network.
        stages: its blocks.
        image_channels: channels of the image.
        options: the component.
        latent: length of the input of the linear layer.
        condition: the condition of the blocks' norms; the last norm has that of the root.
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
        attended = blocks_with_attention(site, stages, options.attention_at)
        self._start = sides(first.in_size)
        self.linear = site.layer(nn.Linear(latent, first.in_channels * prod(self._start)), "linear")
        for stage in stages:
            attention = options.attention if stage.name in attended else None
            block_site = site.at(stage.name, condition=condition)
            self.add_module(stage.name, UpBlock(block_site, stage, options.norm, attention, options.upsampling))
        self.final_norm = site.at("final_norm", channels=last.out_channels, size=last.out_size).build(options.final_norm)
        self.conv = conv(site, "conv", last.out_channels, image_channels)
        self._blocks = tuple(stage.name for stage in stages)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, Z] and labels int64 [B] to images [B, C, H, W] in [-1, 1], in float32."""
        return self.decode(z, [label] * len(self._blocks), label)

    def decode(self, z: Tensor, conditions: Sequence[Tensor | None], label: Tensor | None) -> Tensor:
        """Map z [B, latent], one condition per block and labels int64 [B] for the last norm to images [B, C, H, W]."""
        x = self.linear(z).unflatten(1, (-1, *self._start)).contiguous(memory_format=torch.channels_last)
        for name, condition in zip(self._blocks, conditions, strict=True):
            x = self.get_submodule(name)(x, condition)
        x = self.conv(relu(self.final_norm(x, label)))
        return full_precision(x).tanh()
