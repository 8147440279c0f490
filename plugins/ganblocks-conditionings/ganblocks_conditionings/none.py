"""The unconditional head: one linear unit."""

from __future__ import annotations

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Score, Site, option
from ganblocks_conditionings.scoring import score


@frozen(kw_only=True)
class NoConditioning:
    """Compute the logit as a linear function of the features; ignore labels.

    D(x) = w · φ(x) + b, where w goes through the site's weight norm.

    Use it where images have no classes, and as the control of every conditional head. If only the generator gets classes,
    nothing makes it use them.

    Source: Miyato, Kataoka, Koyama and Yoshida (2018), "Spectral Normalization for Generative Adversarial Networks",
    arXiv:1802.05957, Table 3 (their unconditional discriminator).

    Options:
        bias: whether to learn b.
    """

    bias: bool = option(True)

    def build(self, site: Site) -> nn.Module:
        """Return a head for features [B, C], C = ``site.channels``, with or without classes."""
        return LinearHead(site.layer(nn.Linear(site.channels, 1, bias=self.bias), "linear"))


class LinearHead(nn.Module):
    """forward(features [B, C], label) -> Score with logits [B]; ignores the label."""

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, features: Tensor, label: Tensor | None = None) -> Score:
        """Return logits [B] of features [B, C]."""
        return score(features, self.linear)
