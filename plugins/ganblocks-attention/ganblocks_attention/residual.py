"""A residual block with as many parameters as the attention block that it replaces: the control of an ablation."""

from __future__ import annotations

from functools import partial

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Attention, Gated, Site, option, socket
from ganblocks_attention.checks import share
from ganblocks_attention.sizing import closest_width, width_like


@frozen(kw_only=True)
class Residual:
    """A bottleneck that mixes space locally, with as many weights as the attention block of equal options.

    y = x + γ · W₃ relu(W₂ * relu(W₁ relu(x))), with 1×1, 3×3 and 1×1 kernels, no biases, and γ learned. Its hidden width h
    makes 2Ch + 9h² as close as possible to attention's 2C·C/reduction + 2C·C/value_ratio weights; for SAGAN's 1.25 C² that is
    h = 5C/18, within 0.3 % from 256 channels on and within 2 % below. With ``like`` it has as many parameters as whatever block
    stands there, γ and positions included, to within 2.5 %; building fails where no integer width comes that close.

    Use it beside an attention block to find out whether attention helps or only its parameters do: it sees no farther than its
    3×3 kernel.

    Source: Zhang et al. (2019), "Self-Attention Generative Adversarial Networks", arXiv:1805.08318, table 1, swaps attention
    for "a residual block with the same number of parameters" and says no more; this construction is ours. The gate makes both
    start as the identity, so that only the block differs.

    Options:
        reduction, value_ratio: those of the attention that it replaces.
        like: any other attention block that it replaces, with its options; reduction and value_ratio are then ignored.
        gated: scale the branch by γ; otherwise the branch is added unscaled.
        gamma: γ at the start.
    """

    reduction: int = option(8, low=1)
    value_ratio: int = option(2, low=1)
    like: Attention | None = socket("attention", optional=True)
    gated: bool = option(True)
    gamma: float = option(0.0)

    def build(self, site: Site) -> nn.Module:
        """Return the block for features [B, C, H, W] at ``site``. Raise PlacementError if they do not fit the options."""
        block = ResidualBlock(site, self._hidden(site))
        return GatedBlock(block, self.gamma) if self.gated else PlainBlock(block)

    def _hidden(self, site: Site) -> int:
        weights = partial(weights_of, site.channels)
        if self.like is not None:
            return width_like(site, weights, self.like, self.gated)
        inner, values = share(site, "reduction", self.reduction), share(site, "value_ratio", self.value_ratio)
        return closest_width(weights, 2 * site.channels * (inner + values))


def weights_of(channels: int, hidden: int) -> int:
    """Return the weights of the branch: 2Ch + 9h²."""
    return 2 * channels * hidden + 9 * hidden * hidden


class ResidualBlock(nn.Module):
    """The branch without its residual: x [B, C, H, W] -> [B, C, H, W]."""

    def __init__(self, site: Site, hidden: int) -> None:
        super().__init__()
        self.reduce = site.layer(nn.Conv2d(site.channels, hidden, 1, bias=False), "reduce")
        self.mix = site.layer(nn.Conv2d(hidden, hidden, 3, padding=1, bias=False), "mix")
        self.expand = site.layer(nn.Conv2d(hidden, site.channels, 1, bias=False), "expand")

    def forward(self, x: Tensor) -> Tensor:
        """Return the branch of x [B, C, H, W]."""
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
        """Return x + branch(x) for x [B, C, H, W]."""
        branch: Tensor = self.branch(x)
        return x + branch


class GatedBlock(PlainBlock, Gated):
    """x + γ · branch(x)."""

    def __init__(self, branch: nn.Module, gamma: float) -> None:
        super().__init__(branch)
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))

    def forward(self, x: Tensor) -> Tensor:
        """Return x + γ · branch(x) for x [B, C, H, W]."""
        branch: Tensor = self.branch(x)
        return x + self.gamma * branch
