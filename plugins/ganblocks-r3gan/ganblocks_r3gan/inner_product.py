"""R3GAN's head: an inner product with the class, and nothing beside it."""

from __future__ import annotations

from typing import cast

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Classes, Score, Site
from ganblocks_r3gan.blocks import full_precision
from ganblocks_r3gan.initialising import scaled


@frozen(kw_only=True)
class InnerProduct:
    """The logit is the inner product of a linear map of the features with an embedding of the class; no term is without class.

    D(x, y) = <e_y, A φ(x)> with A [C, C]; without classes D(x) = w · φ(x). Neither has a bias, which a relativistic loss would
    never see. Embeddings start as large as the site's rule says, over √C.

    Use it in R3GAN's discriminator, or wherever a score is to mean nothing without its class; ``projection`` adds a term that
    all classes share.

    Source: Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv:2501.05441, appendix
    D, and its code; without the shared term of Miyato and Koyama (2018), arXiv:1802.05637.
    """

    def build(self, site: Site) -> nn.Module:
        """A head for features [B, C], C = ``site.channels``. Raises PlacementError where the condition is a vector."""
        channels = site.channels
        match site.condition:
            case None:
                return PlainHead(site.layer(nn.Linear(channels, 1, bias=False), "linear"))
            case Classes(count):
                linear = site.layer(nn.Linear(channels, channels, bias=False), "linear")
                return ClassHead(linear, scaled(site, channels**-0.5).layer(nn.Embedding(count, channels), "embedding"))
        raise site.error("the inner product needs class labels or none, not a vector", 'use conditioning = "none"')


class PlainHead(nn.Module):
    """forward(features [B, C], label) -> Score with logits [B]; takes labels and ignores them."""

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, features: Tensor, label: Tensor | None = None) -> Score:
        weight = cast("Tensor", self.linear.weight)  # a call of the layer would round logits under autocast
        return Score((full_precision(features) * weight).sum(1), features=features)


class ClassHead(nn.Module):
    """forward(features [B, C], label int64 [B]) -> Score with logits [B]."""

    def __init__(self, linear: nn.Module, embedding: nn.Module) -> None:
        super().__init__()
        self.linear, self.embedding = linear, embedding

    def forward(self, features: Tensor, label: Tensor | None) -> Score:
        assert label is not None, "a head with classes is called with labels"
        mapped = full_precision(self.linear(features))
        return Score((mapped * self.embedding(label)).sum(1), features=features)
