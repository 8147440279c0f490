"""The conditional contrastive head of ContraGAN."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Checked, CouplesSamples, Facts, Site, option
from ganblocks_conditionings.embedding import EmbeddingHead, uncomparable


@frozen(kw_only=True)
class Contrastive(CouplesSamples, Checked):
    """The logit is linear in the features; images of a class attract each other and their class's proxy, and repel all others.

    D(x) = w · φ(x) + b, and both players add weight times the mean over the images i of a microbatch of

        ℓ_i = ln (p_i + Σ_{k≠i} exp(f_i·f_k / t)) - ln (p_i + Σ_{k≠i, y_k=y_i} exp(f_i·f_k / t)),   p_i = exp(f_i·v_{y_i} / t),

    the discriminator's of real images, the generator's of its fakes. f_i is a linear map of the features φ(x_i), v_y a learned
    proxy of the class, and both have length 1. The second sum leaves i itself out, as the authors' code does. An image alone
    with its class is drawn to its proxy and driven from the others; where a microbatch holds one class only, all ℓ_i are 0.
    Contrasts are among the images of one microbatch, at least two: smaller ones are another loss, not only another order.

    Use it with batches that hold several images of most classes; with few images per class in a batch it says little more than
    a classifier, and then data_to_data or projection is the better choice. Classes may come out exchanged: images of one class
    that attract each other need no proxy, and proxies of other classes do not repel. So it went to others
    (POSTECH-CVLab/PyTorch-StudioGAN, issue 81, where an author confirms it) and in this project's gallery; data_to_data is the
    authors' answer.

    Source: Kang and Park (2020), "ContraGAN: Contrastive Learning for Conditional Image Generation", arXiv:2006.12681:
    the 2C loss. Defaults are those of the authors' code for CIFAR-10.

    Options:
        weight: of the term, in both players' objectives.
        temperature: t.
        embedding: numbers in f and v.
        bias: whether there is b.
    """

    weight: float = option(1.0, above=0)
    temperature: float = option(1.0, low=0.01)
    embedding: int = option(512, low=2)
    bias: bool = option(True)

    def check(self, facts: Facts) -> Iterator[str]:
        yield from uncomparable(facts)

    def build(self, site: Site) -> nn.Module:
        """A head for features [B, C], C = ``site.channels``. Raises ``PlacementError`` where there are no classes."""
        return EmbeddingHead(site, self.embedding, self.bias, self.weight, partial(contrast, temperature=self.temperature))


def contrast(embedded: Tensor, proxy: Tensor, label: Tensor, temperature: float) -> Tensor:
    """The mean of ℓ_i: embedded f [B, E] and their proxies v [B, E] of length 1, label int64 [B] -> 0-dim."""
    itself = torch.eye(len(label), dtype=torch.bool, device=label.device)
    others = (embedded @ embedded.mT / temperature).masked_fill(itself, -torch.inf)
    alike = others.masked_fill(label[:, None] != label, -torch.inf)
    to_proxy = (embedded * proxy).sum(1, keepdim=True) / temperature
    everything, wanted = (torch.cat([to_proxy, each], 1).logsumexp(1) for each in (others, alike))
    return (everything - wanted).mean()
