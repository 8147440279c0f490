"""The residual discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import attrs
from attrs import field, frozen
from attrs.validators import and_, deep_iterable, ge, in_, instance_of, min_len, optional
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import (
    Attention,
    Conditioning,
    ImageSpec,
    Initialization,
    Norm,
    Player,
    ReadsForeign,
    Score,
    Site,
    WeightNorm,
    seed_of,
    seeded,
    socket,
)
from ganblocks_resnet.blocks import DownBlock, FirstBlock, full_precision
from ganblocks_resnet.foreign import LAYOUTS, ours
from ganblocks_resnet.layout import Stage, attended, discriminator_stages
from ganblocks_resnet.peers import refuse_other_functions

_positive = deep_iterable([instance_of(int), ge(1)], instance_of(tuple))


@frozen(kw_only=True)
class ResnetDiscriminator(ReadsForeign):
    """Residual blocks that halve the size, from an image to pooled features and a head: the one of SNGAN and SAGAN.

    image -> blocks -> ReLU -> sum (or mean) over positions -> head. Attention stands right after the first block whose output
    has the size that ``attention_at`` names. Images have S·2ᵏ pixels, S at most 8, along each side, and standard tables of
    channels up to k = 7; with ``multipliers`` and ``halvings`` they have any size that can be halved so often.

    Use it with weight_norm "spectral" and no norm, whatever the generator: the setting of SNGAN, SAGAN and BigGAN. With a
    gradient penalty leave both away.

    Source: Zhang et al. (2019), "SAGAN", arXiv:1805.08318, and its code; Miyato and Koyama (2018), "cGANs with Projection
    Discriminator", arXiv:1802.05637.

    Options:
        width: channels that a multiplier of 1 means (the papers' ch: 64 at 128 pixels, 128 at 32 pixels).
        attention_at: feature sizes, by the shorter side, at which the attention block stands (SAGAN: 32 at 128 pixels).
        multipliers: channels after each block, in units of width; absent: the standard table for the image size.
        halvings: how many blocks, from the first, halve the size (all 5 in SNGAN at 64 pixels); absent: down to the
            generator's first feature map, or to twice its size where the generator has three blocks (8×8 from 32 pixels).
        hidden: channels between the two convolutions of a block: as many as go "out" (SAGAN), or as come "in" (SNGAN). The
            first block always takes "out".
        shortcut: what the shortcut of a block starts from: its "input" (SNGAN, SAGAN), or the "activated" input that the
            first convolution reads (mimicry and PyTorch-StudioGAN, whose first ReLU works in place). The first block has none.
        pooling: of the last feature map, over its positions: "sum" (SNGAN, SAGAN) or "mean" (WGAN-GP).
        conditioning: the head.
        norm: feature norm before each ReLU of a block; the first block has none.
        weight_norm: around every layer ("spectral" in SAGAN and SNGAN).
        attention: the block that stands at ``attention_at``.
        initialization: of every layer.
    """

    layouts: ClassVar[tuple[str, ...]] = LAYOUTS

    width: int = field(default=64, validator=[instance_of(int), ge(1)])
    attention_at: tuple[int, ...] = field(default=(), validator=_positive)
    multipliers: tuple[int, ...] | None = field(default=None, validator=optional(and_(_positive, min_len(1))))
    halvings: int | None = field(default=None, validator=optional([instance_of(int), ge(1)]))
    hidden: Literal["out", "in"] = field(default="out", validator=in_(("out", "in")))
    shortcut: Literal["input", "activated"] = field(default="input", validator=in_(("input", "activated")))
    pooling: Literal["sum", "mean"] = field(default="sum", validator=in_(("sum", "mean")))
    conditioning: Conditioning = socket("conditioning", default="projection")
    norm: Norm = socket("norm", default="none")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    attention: Attention = socket("attention", default="self_attention")
    initialization: Initialization = socket("initialization", default="xavier")

    def build(self, image: ImageSpec, site: Site) -> ResnetDiscriminatorNetwork:
        """Raises UnfitSize or PlacementError where the image cannot be halved so often, or where attention's size never occurs."""
        site = attrs.evolve(site, weight_norm=self.weight_norm, initialization=self.initialization)
        stages = discriminator_stages(image, site, self.width, self.multipliers, self.halvings)
        with seeded(seed_of(site.seed, site.path)):  # layers draw when they are made, before they are initialised
            return ResnetDiscriminatorNetwork(site, stages, self)

    def from_foreign(self, layout: str, network: nn.Module, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        refuse_other_functions(layout, Player.DISCRIMINATOR, self, theirs)
        return ours(layout, Player.DISCRIMINATOR, network, theirs)


class ResnetDiscriminatorNetwork(nn.Module):
    """forward(image [B, channels, H, W], label int64 [B] | None) -> Score, in float32."""

    def __init__(self, site: Site, stages: list[Stage], options: ResnetDiscriminator) -> None:
        super().__init__()
        attentive = attended(site, stages, options.attention_at)
        for stage in stages:
            attention = options.attention if stage.name in attentive else None
            self.add_module(stage.name, _block(site.at(stage.name), stage, attention, options))
        self.head = site.at("head", channels=stages[-1].out_channels, size=1).build(options.conditioning)
        self._blocks = tuple(stage.name for stage in stages)
        self._pooling = options.pooling

    def forward(self, image: Tensor, label: Tensor | None = None) -> Score:
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
