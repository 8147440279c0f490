"""R3GAN's head: an inner product with an embedding of the class."""

from __future__ import annotations

from typing import cast

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Classes, Score, Site, full_precision
from ganblocks_r3gan.initialization import scaled


@frozen(kw_only=True)
class InnerProduct:
    """The logit is the inner product of a linear map of the features with an embedding of the class.

    D(x, y) = <e_y, A φ(x)> with A [C, C]; without classes D(x) = w · φ(x). Neither has a bias, which would cancel in a
    relativistic loss. Embeddings start at 1/√C of the size that the site's initialization gives them.

    Use it in R3GAN's discriminator, or where every term of the logit should depend on the class; ``projection`` adds a term
    that all classes share.

    Source: Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv:2501.05441, appendix
    D, and its code; without the shared term of Miyato and Koyama (2018), arXiv:1802.05637.
    """

    def build(self, site: Site) -> nn.Module:
        """Build a head for features [B, C], C = ``site.channels``. Raise PlacementError if the condition is a vector."""
        channels = site.channels
        match site.condition:
            case None:
                return PlainHead(site.layer(nn.Linear(channels, 1, bias=False), "linear"))
            case Classes(count):
                linear = site.layer(nn.Linear(channels, channels, bias=False), "linear")
                return ClassHead(linear, scaled(site, channels**-0.5).layer(nn.Embedding(count, channels), "embedding"))
        raise site.error("the inner product needs class labels or none, not a vector", 'use conditioning = "none"')


class PlainHead(nn.Module):
    """A linear map to one logit."""

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, features: Tensor, label: Tensor | None = None) -> Score:
        """Score features [B, C] with logits [B]; the labels are not used."""
        weight = cast("Tensor", self.linear.weight)  # calling the layer would round the logits under autocast
        return Score((full_precision(features) * weight).sum(1), features=features)


class ClassHead(nn.Module):
    """An inner product of mapped features with the class embedding."""

    def __init__(self, linear: nn.Module, embedding: nn.Module) -> None:
        super().__init__()
        self.linear, self.embedding = linear, embedding

    def forward(self, features: Tensor, label: Tensor | None) -> Score:
        """Score features [B, C] with labels int64 [B] by logits [B]."""
        assert label is not None, "a head with classes is called with labels"
        mapped = full_precision(self.linear(features))
        return Score((mapped * self.embedding(label)).sum(1), features=features)
