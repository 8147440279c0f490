"""The residual branch, and the stages that consist of branches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganblocks import Site, full_precision, shorter, sides
from ganblocks_r3gan.initialization import SLOPE, branch_gain, scaled, silent
from ganblocks_r3gan.layout import Backbone, Stage
from ganblocks_r3gan.resampling import downsample, upsample


class ResidualBlock(nn.Module):
    """x + conv3(lrelu(conv2(lrelu(conv1(x))))): 1×1, 3×3 in groups, 1×1, wide in the middle, without norms.

    conv3 has no bias and starts at 0.
    """

    def __init__(self, site: Site, channels: int, options: Backbone, branches: int) -> None:
        super().__init__()
        wide = channels * options.expansion
        inner, groups = scaled(site, branch_gain(branches)), wide // options.group_width
        self.conv1 = inner.layer(nn.Conv2d(channels, wide, 1), "conv1")
        self.conv2 = inner.layer(nn.Conv2d(wide, wide, 3, padding=1, groups=groups), "conv2")
        self.conv3 = silent(site).layer(nn.Conv2d(wide, channels, 1, bias=False), "conv3")

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, H, W] to the same shape."""
        h = leaky_relu(self.conv1(x), SLOPE)
        y: Tensor = x + self.conv3(leaky_relu(self.conv2(h), SLOPE))
        return y


class Blocks(nn.Sequential):
    """The residual branches of one size, then attention if ``attention_at`` names the size."""

    def __init__(self, site: Site, stage: Stage, options: Backbone, branches: int) -> None:
        super().__init__()
        for i in range(1, stage.blocks + 1):
            self.add_module(f"block{i}", ResidualBlock(site.at(f"block{i}"), stage.channels, options, branches))
        if shorter(stage.size) in options.attention_at:
            attention_site = site.at("attention", channels=stage.channels, size=stage.size)
            self.add_module("attention", attention_site.build(options.attention))


class FirstStage(nn.Module):
    """The generator's first: a learned map per channel, times a linear function of z, then branches."""

    def __init__(self, site: Site, latent: int, blocks: Blocks, channels: int) -> None:
        super().__init__()
        self.linear = site.layer(nn.Linear(latent, channels, bias=False), "linear")
        self.basis = site.layer(nn.ConvTranspose2d(channels, channels, sides(site.size), groups=channels, bias=False), "basis")
        self.blocks = blocks

    def forward(self, z: Tensor) -> Tensor:
        """Map z [B, Z] to [B, C, H, W], the size of the site."""
        scale = self.linear(z)[:, :, None, None]
        x = (scale * kernel(self.basis)).to(scale.dtype)
        y: Tensor = self.blocks(x.contiguous(memory_format=torch.channels_last))
        return y


class UpStage(nn.Module):
    """The generator's others: 1×1 convolution, upsampling, branches."""

    def __init__(self, site: Site, in_channels: int, blocks: Blocks, channels: int) -> None:
        super().__init__()
        self.widen = widened(site, in_channels, channels)
        self.blocks = blocks

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, in, H, W] to [B, C, 2H, 2W]."""
        y: Tensor = self.blocks(upsample(self.widen(x)))
        return y


class DownStage(nn.Module):
    """The discriminator's stages but the last: branches, downsampling, 1×1 convolution."""

    def __init__(self, site: Site, blocks: Blocks, channels: int, out_channels: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.widen = widened(site, channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, H, W] to [B, out, H/2, W/2]."""
        y: Tensor = self.widen(downsample(self.blocks(x)))
        return y


class LastStage(nn.Module):
    """The discriminator's last: branches, then the product of each channel with a learned map, summed over positions."""

    def __init__(self, site: Site, blocks: Blocks, channels: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.basis = site.layer(nn.Conv2d(channels, channels, sides(site.size), groups=channels, bias=False), "basis")

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, H, W] to features [B, C]."""
        return (full_precision(self.blocks(x)) * kernel(self.basis)).sum((2, 3))


def kernel(basis: nn.Module) -> Tensor:
    """Return the maps [C, H, W] of a convolution with one group per channel, weight-normalised or not.

    Such a convolution over its whole input is a product. Written as one, it has a cheap second derivative.
    """
    weight: Tensor = basis.weight  # type: ignore[assignment]
    return weight[:, 0]


def conv1x1(site: Site, name: str, in_channels: int, out_channels: int) -> nn.Module:
    """Build a 1×1 convolution without bias."""
    return site.layer(nn.Conv2d(in_channels, out_channels, 1, bias=False), name)


def widened(site: Site, in_channels: int, out_channels: int) -> nn.Module:
    """Build a 1×1 convolution if the number of channels changes, otherwise the identity."""
    return nn.Identity() if in_channels == out_channels else conv1x1(site, "widen", in_channels, out_channels)
