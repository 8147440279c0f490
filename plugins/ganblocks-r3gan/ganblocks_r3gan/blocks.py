"""The residual branch, and the stages that are made of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganblocks import Site, shorter, sides
from ganblocks_r3gan.initialising import SLOPE, branch_gain, scaled, silent
from ganblocks_r3gan.layout import Backbone, Stage
from ganblocks_r3gan.resampling import downsample, upsample


class ResidualBlock(nn.Module):
    """x [B, C, H, W] -> x + conv3(lrelu(conv2(lrelu(conv1(x))))): 1×1, 3×3 in groups, 1×1, wide in the middle, without norms.

    conv3 has no bias and starts at 0; the biases of the others are those of the activations that follow them.
    """

    def __init__(self, site: Site, channels: int, options: Backbone, branches: int) -> None:
        super().__init__()
        wide = channels * options.expansion
        inner, groups = scaled(site, branch_gain(branches)), wide // options.group_width
        self.conv1 = inner.layer(nn.Conv2d(channels, wide, 1), "conv1")
        self.conv2 = inner.layer(nn.Conv2d(wide, wide, 3, padding=1, groups=groups), "conv2")
        self.conv3 = silent(site).layer(nn.Conv2d(wide, channels, 1, bias=False), "conv3")

    def forward(self, x: Tensor) -> Tensor:
        h = leaky_relu(self.conv1(x), SLOPE)
        y: Tensor = x + self.conv3(leaky_relu(self.conv2(h), SLOPE))
        return y


class Blocks(nn.Sequential):
    """The residual branches of one size, then attention, if it stands here."""

    def __init__(self, site: Site, stage: Stage, options: Backbone, branches: int) -> None:
        super().__init__()
        for i in range(1, stage.blocks + 1):
            self.add_module(f"block{i}", ResidualBlock(site.at(f"block{i}"), stage.channels, options, branches))
        if shorter(stage.size) in options.attention_at:
            place = site.at("attention", channels=stage.channels, size=stage.size)
            self.add_module("attention", place.build(options.attention))


class FirstStage(nn.Module):
    """The generator's: z [B, Z] -> [B, C, H, W]; a learned map per channel, times a linear function of z, then branches."""

    def __init__(self, site: Site, latent: int, blocks: Blocks, channels: int) -> None:
        super().__init__()
        self.linear = site.layer(nn.Linear(latent, channels, bias=False), "linear")
        self.basis = site.layer(nn.ConvTranspose2d(channels, channels, sides(site.size), groups=channels, bias=False), "basis")
        self.blocks = blocks

    def forward(self, z: Tensor) -> Tensor:
        scale = self.linear(z)[:, :, None, None]
        x = (scale * kernel(self.basis)).to(scale.dtype)
        y: Tensor = self.blocks(x.contiguous(memory_format=torch.channels_last))
        return y


class UpStage(nn.Module):
    """The generator's others: [B, in, H/2, W/2] -> [B, C, H, W]."""

    def __init__(self, site: Site, in_channels: int, blocks: Blocks, channels: int) -> None:
        super().__init__()
        self.widen = matching(site, "widen", in_channels, channels)
        self.blocks = blocks

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.blocks(upsample(self.widen(x)))
        return y


class DownStage(nn.Module):
    """The discriminator's: [B, C, H, W] -> [B, out, H/2, W/2]."""

    def __init__(self, site: Site, blocks: Blocks, channels: int, out_channels: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.widen = matching(site, "widen", channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.widen(downsample(self.blocks(x)))
        return y


class LastStage(nn.Module):
    """The discriminator's last: [B, C, H, W] -> features [B, C], each the product of its map with a learned one."""

    def __init__(self, site: Site, blocks: Blocks, channels: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.basis = site.layer(nn.Conv2d(channels, channels, sides(site.size), groups=channels, bias=False), "basis")

    def forward(self, x: Tensor) -> Tensor:
        return (full_precision(self.blocks(x)) * kernel(self.basis)).sum((2, 3))


def kernel(basis: nn.Module) -> Tensor:
    """The maps [C, H, W] of a convolution that has one group per channel, weight-normalised or not.

    It covers its whole input, so that it is a product; as one, it has a cheap second derivative.
    """
    weight: Tensor = basis.weight  # type: ignore[assignment]
    return weight[:, 0]


def conv1x1(site: Site, name: str, in_channels: int, out_channels: int) -> nn.Module:
    return site.layer(nn.Conv2d(in_channels, out_channels, 1, bias=False), name)


def matching(site: Site, name: str, in_channels: int, out_channels: int) -> nn.Module:
    """A 1×1 convolution where channels change; where they do not, nothing."""
    return nn.Identity() if in_channels == out_channels else conv1x1(site, name, in_channels, out_channels)


def full_precision(x: Tensor) -> Tensor:
    """In float32, or in float64 where it is that already: what leaves a network under autocast is not rounded to 8 bits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
