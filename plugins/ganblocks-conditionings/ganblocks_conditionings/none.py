"""The plain head: one linear unit, which knows nothing of classes."""

from __future__ import annotations

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Score, Site, option
from ganblocks_conditionings.scoring import score


@frozen(kw_only=True)
class NoConditioning:
    """The logit is a linear function of the features; labels are ignored.

    D(x) = w · φ(x) + b, where w goes through the site's weight norm.

    Use it where images have no classes, and as the control of every head that knows them. With classes in the generator only,
    nothing makes it obey them.

    Source: Miyato, Kataoka, Koyama and Yoshida (2018), "Spectral Normalization for Generative Adversarial Networks",
    arXiv:1802.05957, Table 3 (their unconditional discriminator).

    Options:
        bias: whether there is b.
    """

    bias: bool = option(True)

    def build(self, site: Site) -> nn.Module:
        """A head for features [B, C], C = ``site.channels``, with or without classes."""
        return LinearHead(site.layer(nn.Linear(site.channels, 1, bias=self.bias), "linear"))


class LinearHead(nn.Module):
    """forward(features [B, C], label) -> Score with logits [B]; takes labels and ignores them."""

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, features: Tensor, label: Tensor | None = None) -> Score:
        return score(features, self.linear)
