"""The discriminator of DCGAN."""

from __future__ import annotations

from math import prod

import attrs
import torch
from attrs import field, frozen
from attrs.validators import deep_iterable, ge, instance_of, le
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganblocks import (
    Attention,
    Conditioning,
    ImageSpec,
    Initialization,
    Norm,
    Score,
    Site,
    WeightNorm,
    seed_of,
    seeded,
    sides,
    socket,
)
from ganblocks_dcgan.layout import Stage, feature_maps, is_attended


@frozen(kw_only=True)
class DcganDiscriminator:
    """Strided convolutions that each halve the size, from an image to 4×4 and a head: the discriminator of DCGAN.

    image -> [4×4 convolution of stride 2 -> norm -> LeakyReLU] for every halving -> flattened 4×4 map -> head. There is no norm
    after the first convolution. A linear head on the flattened map is the 4×4 convolution to one logit of later code. Feature
    maps have ``width`` channels at half the image's size, and twice as many at each half of that. Attention stands after the
    LeakyReLU. Images have S·2ᵏ pixels, S at most 8, along each side; the last map is 4×4 where it can be, otherwise as large
    as it can be.

    Use it with the ``dcgan`` generator; with norm "none" and ``bias`` under a gradient penalty, because batch norm makes the
    score of an image depend on the others, and with weight_norm "spectral" and norm "none" for SNGAN's plain form.

    Source: Radford et al. (2016), "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks", arXiv:1511.06434, section 3.

    Options:
        width: channels at half the image's size (64 at 64 pixels in the paper's code, so that there are 512 at 4×4).
        bias: whether convolutions have biases. The paper's have none, because a norm follows with its own; use true with norm
            "none".
        slope: of the LeakyReLU for negative numbers.
        attention_at: feature sizes, by the shorter side, at which the attention block stands.
        conditioning: the head.
        norm: feature norm after each convolution but the first.
        weight_norm: around every layer.
        attention: the block that stands at ``attention_at``.
        initialization: of every layer.
    """

    width: int = field(default=64, validator=[instance_of(int), ge(1)])
    bias: bool = field(default=False, validator=instance_of(bool))
    slope: float = field(default=0.2, validator=[instance_of((int, float)), ge(0), le(1)])
    attention_at: tuple[int, ...] = field(default=(), validator=deep_iterable([instance_of(int), ge(1)], instance_of(tuple)))
    conditioning: Conditioning = socket("conditioning", default="none")
    norm: Norm = socket("norm", default="batch")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    attention: Attention = socket("attention", default="self_attention")
    initialization: Initialization = socket("initialization", default="normal")

    def build(self, image: ImageSpec, site: Site) -> DcganDiscriminatorNetwork:
        """Raises UnfitSize for a size that no halvings lead from, PlacementError for one in ``attention_at`` that never occurs."""
        site = attrs.evolve(site, weight_norm=self.weight_norm, initialization=self.initialization)
        maps = feature_maps(image, site, self.width)
        site.expect_sizes("attention_at", self.attention_at, [each.size for each in maps])
        with seeded(seed_of(site.seed, site.path)):  # layers draw when they are made, before they are initialised
            return DcganDiscriminatorNetwork(site, maps, image.channels, self)


class DcganDiscriminatorNetwork(nn.Module):
    """forward(image [B, channels, H, W], label int64 [B] | None) -> Score, in float32."""

    def __init__(self, site: Site, maps: list[Stage], image_channels: int, options: DcganDiscriminator) -> None:
        super().__init__()
        arriving = image_channels
        for i, each in enumerate(reversed(maps), start=1):
            place = site.at(f"block{i}", channels=each.channels, size=each.size)
            self.add_module(f"block{i}", DownBlock(place, arriving, options, normed=i > 1))
            arriving = each.channels
        features = maps[0].channels * prod(sides(maps[0].size))
        self.head = site.at("head", channels=features, size=1).build(options.conditioning)
        self._blocks = tuple(f"block{i}" for i in range(1, len(maps) + 1))

    def forward(self, image: Tensor, label: Tensor | None = None) -> Score:
        x = image
        for name in self._blocks:
            x = self.get_submodule(name)(x, label)
        score: Score = self.head(x.to(torch.promote_types(x.dtype, torch.float32)).flatten(1), label)
        return score


class DownBlock(nn.Module):
    """x [B, in, 2H, 2W] and a label -> [B, C, H, W]: convolution, norm, LeakyReLU, attention (if there is one)."""

    def __init__(self, site: Site, in_channels: int, options: DcganDiscriminator, normed: bool) -> None:
        super().__init__()
        attentive = is_attended(site.size, options.attention_at)
        layer = nn.Conv2d(in_channels, site.channels, 4, stride=2, padding=1, bias=options.bias)
        self.conv = site.layer(layer, "conv")
        self.norm = site.at("norm").build(options.norm) if normed else None
        self.attention = site.at("attention").build(options.attention) if attentive else nn.Identity()
        self.slope = options.slope

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x, label)
        y: Tensor = self.attention(leaky_relu(x, self.slope))
        return y
