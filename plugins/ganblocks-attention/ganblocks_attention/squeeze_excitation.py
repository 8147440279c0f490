"""Channels scaled by what all positions hold on average: the squeeze-and-excitation block."""

from __future__ import annotations

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Attention, Gated, Site, option, socket
from ganblocks_attention.sizing import bottleneck_width


@frozen(kw_only=True)
class SqueezeExcitation:
    """Scale every channel of a sample by a number between 0 and 1 that depends on the mean of all its positions.

    z = mean over positions of x,  s = sigmoid(W₂ relu(W₁ z)),  y = x + γ · (s ⊙ x - x), where W₁ (here named reduce) has h
    outputs, W₂ (expand) has C, neither has a bias, and γ is learned. It has 2Ch + 1 parameters. γ = 0 is the identity, γ = 1
    the paper's block y = s ⊙ x. It has no attention map: every position counts alike.

    Use it beside an attention block to find out whether a summary of the whole image is enough, without any selection of
    positions. Therefore it has by default as many parameters as ``self_attention`` with its defaults: h = 5C/8, exactly 1.25 C²
    + 1 parameters where 8 divides the channels. With ``like`` it has as many as whatever block stands there, γ included, to
    within 2.5 %; building fails where no integer h comes that close. The paper's block is much smaller: ``reduction`` = 16
    gives C²/8 + 1 parameters.

    Source: Hu et al. (2018), "Squeeze-and-Excitation Networks", arXiv:1709.01507, section 3, equations 2 to 4, without biases,
    which the paper found to be better in residual networks. The gate γ is SAGAN's, as in all attention blocks here; the paper
    has none and puts the block into the branch of a residual block, before its sum.

    Options:
        reduction: C / reduction channels in the bottleneck (h), 16 in the paper; absent: as many parameters as ``like``.
        like: the attention block that it replaces, with its options; absent: self_attention with its defaults.
        gamma: γ at the start.
    """

    reduction: int | None = option(None, low=1)
    like: Attention | None = socket("attention", optional=True)
    gamma: float = option(0.0)

    def build(self, site: Site) -> nn.Module:
        """Return the block for features [B, C, H, W] at ``site``. Raise PlacementError if they do not fit the options."""
        hidden = bottleneck_width(site, lambda width: 2 * site.channels * width, self.reduction, self.like)
        return ExcitationBlock(site, hidden, self.gamma)


class ExcitationBlock(nn.Module, Gated):
    """x [B, C, H, W] -> x + γ · (s ⊙ x - x), s [B, C] between 0 and 1."""

    def __init__(self, site: Site, hidden: int, gamma: float) -> None:
        super().__init__()
        self.reduce = site.layer(nn.Linear(site.channels, hidden, bias=False), "reduce")
        self.expand = site.layer(nn.Linear(hidden, site.channels, bias=False), "expand")
        self.gamma = nn.Parameter(torch.tensor(float(gamma)))

    def forward(self, x: Tensor) -> Tensor:
        """Return x [B, C, H, W] with its channels scaled by 1 - γ (1 - s)."""
        excitation = self.expand(functional.relu(self.reduce(x.mean((2, 3)))))
        withheld = torch.sigmoid(-excitation)  # 1 - s, without the cancellation where s is near 1
        return x - (self.gamma * withheld)[:, :, None, None] * x
