"""The control of the ablation: a residual block of as many parameters as the attention block that it replaces."""

from __future__ import annotations

import torch
from attrs import field, frozen
from attrs.validators import ge, instance_of
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Gated, Site
from ganblocks_self_attention.channels import check_channels

_at_least_one = [instance_of(int), ge(1)]


@frozen(kw_only=True)
class Residual:
    """A bottleneck that mixes space locally, with as many weights as the attention block of equal options.

    y = x + γ · W₃ relu(W₂ * relu(W₁ relu(x))), with 1×1, 3×3 and 1×1 kernels, no biases, and γ learned. Its hidden width h
    makes 2Ch + 9h² as close as possible to attention's 2C·C/reduction + 2C·C/value_ratio weights; for SAGAN's 1.25 C² that is
    h = 5C/18, within 0.3 % from 256 channels on and within 2 % below.

    Source: SAGAN (arXiv:1805.08318), table 1, swaps attention for "a residual block with the same number of parameters" and
    says no more; this construction is ours. The gate makes both start as the identity, so that only the block differs.

    Options:
        reduction, value_ratio: those of the attention that it replaces.
        gated: scale the branch by γ; without it the branch is added as it is.
        gamma: γ at the start.
    """

    reduction: int = field(default=8, validator=_at_least_one)
    value_ratio: int = field(default=2, validator=_at_least_one)
    gated: bool = True
    gamma: float = field(default=0.0, validator=instance_of((int, float)))

    def build(self, site: Site) -> nn.Module:
        check_channels(site, self.reduction, self.value_ratio)
        block = ResidualBlock(site, hidden_width(site.channels, self.reduction, self.value_ratio))
        return GatedBlock(block, self.gamma) if self.gated else PlainBlock(block)


def hidden_width(channels: int, reduction: int = 8, value_ratio: int = 2) -> int:
    """The h that brings 2Ch + 9h² closest to attention's count of weights."""
    target = 2 * channels * (channels // reduction) + 2 * channels * (channels // value_ratio)
    exact = ((channels**2 + 9 * target) ** 0.5 - channels) / 9
    candidates = {max(int(exact), 1), int(exact) + 1}
    return min(candidates, key=lambda h: abs(2 * channels * h + 9 * h * h - target))


class ResidualBlock(nn.Module):
    """The branch alone: x [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, site: Site, hidden: int) -> None:
        super().__init__()
        self.reduce = site.layer(nn.Conv2d(site.channels, hidden, 1, bias=False), "reduce")
        self.mix = site.layer(nn.Conv2d(hidden, hidden, 3, padding=1, bias=False), "mix")
        self.expand = site.layer(nn.Conv2d(hidden, site.channels, 1, bias=False), "expand")

    def forward(self, x: Tensor) -> Tensor:
        h = self.reduce(functional.relu(x))
        h = self.mix(functional.relu(h))
        output: Tensor = self.expand(functional.relu(h))
        return output


class PlainBlock(nn.Module):
    """x + branch(x)."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.branch(x)
        return x + branch


class GatedBlock(nn.Module, Gated):
    """x + γ · branch(x)."""

    def __init__(self, branch: nn.Module, gamma: float) -> None:
        super().__init__()
        self.branch = branch
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.branch(x)
        return x + self.gamma * branch
