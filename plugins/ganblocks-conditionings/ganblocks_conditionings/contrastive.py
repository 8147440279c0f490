"""The conditional contrastive head of ContraGAN."""

from __future__ import annotations

import torch
from attrs import frozen
from torch import Tensor

from ganblocks import option
from ganblocks_conditionings.embedding import ComparesImages


@frozen(kw_only=True)
class Contrastive(ComparesImages):
    """Compute a linear logit; images of a class attract each other and the proxy of their class, and repel all others.

    D(x) = w · φ(x) + b, and both players add weight times the mean over the images i of a microbatch of

        ℓ_i = ln (p_i + Σ_{k≠i} exp(f_i·f_k / t)) - ln (p_i + Σ_{k≠i, y_k=y_i} exp(f_i·f_k / t)),   p_i = exp(f_i·v_{y_i} / t),

    the discriminator's of real images, the generator's of its fakes. f_i is a linear map of the features φ(x_i), v_y a learned
    proxy of the class, and both have length 1. The second sum omits i itself, as the authors' code does. If no other image of
    the microbatch has its class, an image is attracted by its proxy and repelled by the others; if all have one class, all ℓ_i
    are 0. Images are compared within one microbatch of at least two: another size is another loss, not only another order.

    Use it with batches that hold several images of most classes; with few images per class it adds little to a classifier, and
    data_to_data or projection is the better choice. Classes may be exchanged: images of one class that attract each other need
    no proxy, and proxies of other classes do not repel. Others have met this (POSTECH-CVLab/PyTorch-StudioGAN, issue 81, where
    an author confirms it), and so has this project's gallery; data_to_data is the authors' remedy.

    Source: Kang and Park (2020), "ContraGAN: Contrastive Learning for Conditional Image Generation", arXiv:2006.12681:
    the 2C loss. Defaults are those of the authors' code for CIFAR-10.

    Options:
        weight: factor of the term in both players' objectives.
        temperature: t.
        embedding: dimension of f and v.
        bias: whether to learn b.
    """

    temperature: float = option(1.0, low=0.01)

    def compare(self, embedded: Tensor, proxy: Tensor, label: Tensor) -> Tensor:
        """Return the mean of ℓ_i, 0-dim, for f = ``embedded`` and v = ``proxy`` [B, E], and label int64 [B]."""
        return contrast(embedded, proxy, label, self.temperature)


def contrast(embedded: Tensor, proxy: Tensor, label: Tensor, temperature: float) -> Tensor:
    """Return the mean of ℓ_i, 0-dim, for f = ``embedded`` and v = ``proxy`` [B, E] of length 1, label int64 [B]."""
    diagonal = torch.eye(len(label), dtype=torch.bool, device=label.device)
    others = (embedded @ embedded.mT / temperature).masked_fill(diagonal, -torch.inf)
    same_class = others.masked_fill(label[:, None] != label, -torch.inf)
    to_proxy = (embedded * proxy).sum(1, keepdim=True) / temperature
    denominator, numerator = (torch.cat([to_proxy, scores], 1).logsumexp(1) for scores in (others, same_class))
    return (denominator - numerator).mean()
