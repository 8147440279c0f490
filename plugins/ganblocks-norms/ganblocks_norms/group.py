"""Group norm."""

from __future__ import annotations

import math

import torch
from attrs import field, frozen
from attrs.validators import ge, gt, instance_of
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Site


@frozen(kw_only=True)
class Group:
    """Normalise each sample over groups of channels and all positions, then scale and shift each channel.

    y = gain · (x - mean) / sqrt(var + eps) + bias. Samples do not see each other, in training or evaluation.

    Use it where batches are small, or samples must not see each other, as in a discriminator under a gradient penalty.

    Source: Wu and He (2018), "Group Normalization", arXiv:1803.08494, section 3.1.

    Options:
        groups: number of groups; must divide the channels. 1 is ``layer``, as many as channels is ``instance``.
        eps: added to the variance.
    """

    groups: int = field(default=8, validator=[instance_of(int), ge(1)])
    eps: float = field(default=1e-5, validator=[instance_of((int, float)), gt(0)])

    def build(self, site: Site) -> nn.Module:
        """Raises ``PlacementError`` where groups do not divide the channels, or hold a single value."""
        if site.channels % self.groups:
            fitting = math.gcd(site.channels, self.groups)
            raise site.error(f"{self.groups} groups do not divide {site.channels} channels", f"use groups = {fitting}")
        return group_norm(site, self.groups, self.eps)


def group_norm(site: Site, groups: int, eps: float) -> GroupNorm:
    """The layer, if there is more than one value to take a mean of."""
    if site.height * site.width * site.channels == groups:
        others = ["batch"] if site.channels == 1 else ["layer", "batch"]  # one channel is its own layer
        hint = " or ".join(f'norm = "{name}"' for name in others)
        raise site.error("every value would be its own mean, so that the norm gives zeros", f"use {hint}")
    return GroupNorm(site.channels, groups, eps)


class GroupNorm(nn.Module):
    """x [B, C, H, W] -> [B, C, H, W] with ``gain`` and ``bias`` [C]; takes a condition and ignores it."""

    def __init__(self, channels: int, groups: int, eps: float) -> None:
        super().__init__()
        self.groups, self.eps = groups, eps
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return functional.group_norm(x, self.groups, self.gain, self.bias, self.eps)
