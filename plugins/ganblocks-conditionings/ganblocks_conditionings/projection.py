"""The projection head, used by SNGAN, SAGAN and BigGAN."""

from __future__ import annotations

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Classes, Score, Site, option
from ganblocks_conditionings.scoring import score


@frozen(kw_only=True)
class Projection:
    """Compute the logit as a linear function of the features, plus their inner product with an embedding of the class.

    D(x, y) = w · φ(x) + b + <e_y, φ(x)>. Both w and the table e go through the site's weight norm (SAGAN: spectral).

    Use it for class-conditional training with a residual discriminator, as SNGAN, SAGAN and BigGAN do: it adds no term to tune.
    If you need class logits, or features that separate classes, use auxiliary_classifier or data_to_data.

    Source: Miyato and Koyama (2018), "cGANs with Projection Discriminator", arXiv:1802.05637, section 3 and Figure 1d.

    Options:
        bias: whether to learn b.
    """

    bias: bool = option(True)

    def build(self, site: Site) -> nn.Module:
        """Return a head for features [B, C], C = ``site.channels``. Raise PlacementError if there are no classes."""
        if not isinstance(site.condition, Classes):
            raise site.error("the projection head needs images with class labels", 'use conditioning = "none"')
        linear = site.layer(nn.Linear(site.channels, 1, bias=self.bias), "linear")
        return ProjectionHead(linear, site.layer(nn.Embedding(site.condition.count, site.channels), "embedding"))


class ProjectionHead(nn.Module):
    """forward(features [B, C], label int64 [B]) -> Score with logits [B]."""

    def __init__(self, linear: nn.Module, embedding: nn.Module) -> None:
        super().__init__()
        self.linear, self.embedding = linear, embedding

    def forward(self, features: Tensor, label: Tensor | None) -> Score:
        """Return logits [B] of features [B, C] and labels int64 [B]."""
        assert label is not None, "a head with classes gets labels"
        return score(features, self.linear, self.embedding(label))
