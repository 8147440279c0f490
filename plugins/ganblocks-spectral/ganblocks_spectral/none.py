"""No weight norm: layers stay as they are."""

from __future__ import annotations

from attrs import frozen
from torch import nn


@frozen(kw_only=True)
class NoWeightNorm:
    """Leave every weight as it is: W̄ = W.

    Use it in generators, and in a discriminator that something else restrains, such as ``gradient_penalty`` or ``r1``.

    Source: the baseline of Miyato et al. (2018), "Spectral Normalization for GANs", arXiv:1802.05957.
    """

    def wrap(self, layer: nn.Module) -> nn.Module:
        return layer
