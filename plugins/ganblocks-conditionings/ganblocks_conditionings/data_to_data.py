"""The data-to-data cross-entropy head of ReACGAN."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Checked, CouplesSamples, Facts, Site, option
from ganblocks_conditionings.embedding import EmbeddingHead, uncomparable


@frozen(kw_only=True)
class DataToData(CouplesSamples, Checked):
    """The logit is linear in the features; an image is drawn to its class's proxy, and driven from images of other classes.

    D(x) = w · φ(x) + b, and both players add weight times the mean over the images i of a microbatch of

        ℓ_i = ln (exp p_i + Σ_{j: y_j≠y_i} exp(max(f_i·f_j - m_n, 0) / τ)) - p_i,   p_i = min(f_i·v_{y_i} - m_p, 0) / τ,

    the discriminator's of real images, the generator's of its fakes (D2D-CE). f_i is a linear map of the features φ(x_i), v_y a
    learned proxy of the class, and both have length 1, so that neither features nor weights grow to lower the loss. An image
    nearer to its proxy than m_p, and a pair of images less alike than m_n, are easy: their gradients are 0. Images of the same
    class do not attract each other. Where a microbatch holds one class only, all ℓ_i are 0. Contrasts are among the images of
    one microbatch, at least two: smaller microbatches are another loss, not only another order.

    Use it where an auxiliary classifier collapses or draws only easy samples, as with many classes; it needs several classes in
    each microbatch, and nothing more.

    Source: Kang, Shim, Cho and Park (2021), "Rebooting ACGAN: Auxiliary Classifier GANs with Stable Training",
    arXiv:2111.01118. Defaults are those of the authors' code for CIFAR-10, which has m_n = 1 - m_p. That code also divides the
    exponentials in the sum, but not that of p_i, by the largest of them, taken as a constant; here they stay as they are.

    Options:
        weight: of the term, in both players' objectives.
        temperature: τ.
        positive_margin: m_p, a cosine.
        negative_margin: m_n, a cosine.
        embedding: numbers in f and v.
        bias: whether there is b.
    """

    weight: float = option(0.5, above=0)
    temperature: float = option(0.5, low=0.01)
    positive_margin: float = option(0.98, above=0, high=1)
    negative_margin: float = option(0.02, low=-1, high=1)
    embedding: int = option(512, low=2)
    bias: bool = option(True)

    def check(self, facts: Facts) -> Iterator[str]:
        yield from uncomparable(facts)

    def build(self, site: Site) -> nn.Module:
        """A head for features [B, C], C = ``site.channels``. Raises ``PlacementError`` where there are no classes."""
        return EmbeddingHead(
            site,
            self.embedding,
            self.bias,
            self.weight,
            partial(
                cross_entropy,
                temperature=self.temperature,
                positive_margin=self.positive_margin,
                negative_margin=self.negative_margin,
            ),
        )


def cross_entropy(
    embedded: Tensor, proxy: Tensor, label: Tensor, temperature: float, positive_margin: float, negative_margin: float
) -> Tensor:
    """The mean of ℓ_i: embedded f [B, E] and their proxies v [B, E] of length 1, label int64 [B] -> 0-dim."""
    to_proxy = ((embedded * proxy).sum(1, keepdim=True) - positive_margin).clamp(max=0) / temperature
    others = (embedded @ embedded.mT - negative_margin).clamp(min=0) / temperature
    negatives = others.masked_fill(label[:, None] == label, -torch.inf)
    return (torch.cat([to_proxy, negatives], 1).logsumexp(1, keepdim=True) - to_proxy).mean()
