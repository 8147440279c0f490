"""No weight norm."""

from __future__ import annotations

from attrs import frozen
from torch import nn


@frozen(kw_only=True)
class NoWeightNorm:
    """Leave every weight unchanged: W̄ = W.

    Use it in generators, and in a discriminator that is bounded otherwise, for example by ``gradient_penalty`` or ``r1``.

    Source: the baseline of Miyato et al. (2018), "Spectral Normalization for GANs", arXiv:1802.05957.
    """

    def wrap(self, layer: nn.Module) -> nn.Module:
        """Return ``layer``."""
        return layer
