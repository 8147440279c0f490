"""The data-to-data cross-entropy head of ReACGAN."""

from __future__ import annotations

import torch
from attrs import frozen
from torch import Tensor

from ganblocks import option
from ganblocks_conditionings.embedding import ComparesImages


@frozen(kw_only=True)
class DataToData(ComparesImages):
    """Compute a linear logit; the proxy of its class attracts an image, and images of other classes repel it.

    D(x) = w · φ(x) + b, and both players add weight times the mean over the images i of a microbatch of

        ℓ_i = ln (exp p_i + Σ_{j: y_j≠y_i} exp(max(f_i·f_j - m_n, 0) / τ)) - p_i,   p_i = min(f_i·v_{y_i} - m_p, 0) / τ,

    the discriminator's of real images, the generator's of its fakes (D2D-CE). f_i is a linear map of the features φ(x_i), v_y a
    learned proxy of the class, and both have length 1, so that growing features or weights cannot lower the loss. Images with
    a cosine above m_p to their proxy, and pairs of images with one below m_n, are easy: their gradients are 0. Images of the
    same class do not attract each other. If a microbatch holds one class only, all ℓ_i are 0. Images are compared within one
    microbatch of at least two: another size is another loss, not only another order.

    Use it where an auxiliary classifier collapses or generates only easy samples, as with many classes; it needs only several
    classes in each microbatch.

    Source: Kang, Shim, Cho and Park (2021), "Rebooting ACGAN: Auxiliary Classifier GANs with Stable Training",
    arXiv:2111.01118. Defaults are those of the authors' code for CIFAR-10, which has m_n = 1 - m_p. That code also divides the
    exponentials in the sum, but not that of p_i, by the largest of them, taken as a constant; here they stay as they are.

    Options:
        weight: factor of the term in both players' objectives.
        temperature: τ.
        positive_margin: m_p, a cosine.
        negative_margin: m_n, a cosine.
        embedding: dimension of f and v.
        bias: whether to learn b.
    """

    weight: float = option(0.5, above=0)
    temperature: float = option(0.5, low=0.01)
    positive_margin: float = option(0.98, above=0, high=1)
    negative_margin: float = option(0.02, low=-1, high=1)

    def compare(self, embedded: Tensor, proxy: Tensor, label: Tensor) -> Tensor:
        """Return the mean of ℓ_i, 0-dim, for f = ``embedded`` and v = ``proxy`` [B, E], and label int64 [B]."""
        return cross_entropy(embedded, proxy, label, self.temperature, self.positive_margin, self.negative_margin)


def cross_entropy(
    embedded: Tensor, proxy: Tensor, label: Tensor, temperature: float, positive_margin: float, negative_margin: float
) -> Tensor:
    """Return the mean of ℓ_i, 0-dim, for f = ``embedded`` and v = ``proxy`` [B, E] of length 1, label int64 [B]."""
    to_proxy = ((embedded * proxy).sum(1, keepdim=True) - positive_margin).clamp(max=0) / temperature
    others = (embedded @ embedded.mT - negative_margin).clamp(min=0) / temperature
    negatives = others.masked_fill(label[:, None] == label, -torch.inf)
    return (torch.cat([to_proxy, negatives], 1).logsumexp(1, keepdim=True) - to_proxy).mean()
