"""Group norm."""

from __future__ import annotations

import math

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Site, option


@frozen(kw_only=True)
class Group:
    """Normalise each sample over groups of channels and all positions, then scale and shift each channel.

    y = gain · (x - mean) / sqrt(var + eps) + bias. Samples are independent of each other, in training and evaluation.

    Use it where batches are small, or samples must be independent, as in a discriminator under a gradient penalty.

    Source: Wu and He (2018), "Group Normalization", arXiv:1803.08494, section 3.1.

    Options:
        groups: number of groups; must divide the channels. One group is ``layer``, a group per channel is ``instance``.
        eps: added to the variance.
    """

    groups: int = option(8, low=1)
    eps: float = option(1e-5, above=0)

    def build(self, site: Site) -> nn.Module:
        """Return the layer for x [B, C, H, W]. Raise PlacementError if groups do not divide the channels, or hold one value."""
        if site.channels % self.groups:
            rule = f"{self.groups} groups do not divide {site.channels} channels"
            raise site.error(rule, f"use groups = {math.gcd(site.channels, self.groups)}")
        return group_norm(site, self.groups, self.eps)


def group_norm(site: Site, groups: int, eps: float) -> GroupNorm:
    """Return the layer for x [B, C, H, W]. Raise PlacementError if a group holds a single value."""
    if site.height * site.width * site.channels == groups:
        others = ["batch"] if site.channels == 1 else ["layer", "batch"]  # one channel is its own layer
        hint = " or ".join(f'norm = "{name}"' for name in others)
        raise site.error("every value would be its own mean, so the norm would return zeros", f"use {hint}")
    return GroupNorm(site.channels, groups, eps)


class GroupNorm(nn.Module):
    """x [B, C, H, W] -> [B, C, H, W] with ``gain`` and ``bias`` [C]; takes a condition and ignores it."""

    def __init__(self, channels: int, groups: int, eps: float) -> None:
        super().__init__()
        self.groups, self.eps = groups, eps
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return x [B, C, H, W] normalised, scaled and shifted."""
        return functional.group_norm(x, self.groups, self.gain, self.bias, self.eps)
