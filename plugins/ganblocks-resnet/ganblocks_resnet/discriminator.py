"""The residual discriminator."""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import (
    Attention,
    Conditioning,
    ImageSpec,
    Initialization,
    Norm,
    Player,
    Score,
    Site,
    WeightNorm,
    full_precision,
    option,
    socket,
)
from ganblocks_resnet.blocks import DownBlock, FirstBlock
from ganblocks_resnet.foreign import ReadsWeights
from ganblocks_resnet.layout import Stage, blocks_with_attention, discriminator_stages


@frozen(kw_only=True)
class ResnetDiscriminator(ReadsWeights):
    """Residual blocks that halve the size, from an image to pooled features and a head: the one of SNGAN and SAGAN.

    image -> blocks -> ReLU -> sum (or mean) over positions -> head. Attention follows the first block whose output has a size
    in ``attention_at``. Each side of the image has S·2ᵏ pixels with S at most 8, with standard tables of channels up to k = 7.
    With ``multipliers`` and ``halvings`` an image may have any size that can be halved that many times.

    Use it with weight_norm "spectral" and no norm, whatever the generator: the setting of SNGAN, SAGAN and BigGAN. With a
    gradient penalty use neither.

    Source: Zhang et al. (2019), "SAGAN", arXiv:1805.08318, and its code; Miyato and Koyama (2018), "cGANs with Projection
    Discriminator", arXiv:1802.05637.

    Options:
        width: channels per unit of ``multipliers`` (the papers' ch: 64 at 128 pixels, 128 at 32 pixels).
        attention_at: sizes of the feature maps that get the attention block, by their shorter side (SAGAN: 32 at 128 pixels).
        multipliers: channels after each block, in units of ``width``; default: the standard table for the image size.
        halvings: how many blocks, from the first, halve the size (all 5 in SNGAN at 64 pixels); default: down to the
            generator's first feature map, or to twice its size if the generator has three blocks (8×8 from 32 pixels).
        hidden: channels between the two convolutions of a block, equal to its "out" channels (SAGAN) or its "in" channels
            (SNGAN). The first block always has "out".
        shortcut: start of a block's shortcut: its "input" (SNGAN, SAGAN), or the "activated" input that the first convolution
            reads (mimicry and PyTorch-StudioGAN, whose first ReLU works in place). The first block has no activation there.
        pooling: pooling of the last feature map over its positions, "sum" (SNGAN, SAGAN) or "mean" (WGAN-GP).
        conditioning: the head.
        norm: feature norm before each ReLU of a block; the first block has none.
        weight_norm: weight norm of every layer ("spectral" in SAGAN and SNGAN).
        attention: the attention block.
        initialization: initialization of every layer.
    """

    player: ClassVar[Player] = Player.DISCRIMINATOR

    width: int = option(64, low=1)
    attention_at: tuple[int, ...] = option((), low=1)
    multipliers: tuple[int, ...] | None = option(None, low=1, min_items=1)
    halvings: int | None = option(None, low=1)
    hidden: Literal["out", "in"] = option("out")
    shortcut: Literal["input", "activated"] = option("input")
    pooling: Literal["sum", "mean"] = option("sum")
    conditioning: Conditioning = socket("conditioning", default="projection")
    norm: Norm = socket("norm", default="none")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    attention: Attention = socket("attention", default="self_attention")
    initialization: Initialization = socket("initialization", default="xavier")

    def build(self, image: ImageSpec, site: Site) -> ResnetDiscriminatorNetwork:
        """Build the network. Raise UnfitSize or PlacementError if image size, multipliers or ``attention_at`` do not fit."""
        with site.seeded(weight_norm=self.weight_norm, initialization=self.initialization) as site:
            stages = discriminator_stages(image, site, self.width, self.multipliers, self.halvings)
            return ResnetDiscriminatorNetwork(site, stages, self)


class ResnetDiscriminatorNetwork(nn.Module):
    """Blocks, pooling over positions, and a head."""

    def __init__(self, site: Site, stages: list[Stage], options: ResnetDiscriminator) -> None:
        super().__init__()
        attended = blocks_with_attention(site, stages, options.attention_at)
        for stage in stages:
            attention = options.attention if stage.name in attended else None
            self.add_module(stage.name, _block(site.at(stage.name), stage, attention, options))
        self.head = site.at("head", channels=stages[-1].out_channels, size=1).build(options.conditioning)
        self._blocks = tuple(stage.name for stage in stages)
        self._pooling = options.pooling

    def forward(self, image: Tensor, label: Tensor | None = None) -> Score:
        """Score images [B, C, H, W] with labels int64 [B], in float32."""
        x = image
        for name in self._blocks:
            x = self.get_submodule(name)(x, label)
        x = full_precision(relu(x))
        score: Score = self.head(x.mean((2, 3)) if self._pooling == "mean" else x.sum((2, 3)), label)
        return score


def _block(site: Site, stage: Stage, attention: Attention | None, options: ResnetDiscriminator) -> nn.Module:
    if stage.name == "block1":
        return FirstBlock(site, stage, attention)
    hidden = stage.out_channels if options.hidden == "out" else stage.in_channels
    return DownBlock(site, stage, hidden, options.norm, attention, options.shortcut == "activated")
