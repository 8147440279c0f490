"""Orthogonal initialization."""

from __future__ import annotations

import torch
from attrs import frozen
from torch import nn

from ganblocks import option
from ganblocks_initializations.filling import fill_with


@frozen(kw_only=True)
class Orthogonal:
    """Draw a random orthogonal matrix times gain, and set biases to zero.

    The weight as a matrix (outputs, all other dimensions) is gain times one with orthonormal rows, or columns if it has more
    rows than columns: all its singular values equal gain. BigGAN's rule.

    Use it for BigGAN's networks, and under spectral norm, whose estimate is exact after one iteration if all singular values
    are equal.

    Source: Saxe et al. (2014), "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    arXiv:1312.6120, section 3; Brock et al. (2019), "BigGAN", arXiv:1809.11096, Appendix C.

    Options:
        gain: every singular value.
    """

    gain: float = option(1.0, above=0)

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        """Fill the layer's weight and bias in place with numbers from ``rng``."""
        fill_with(layer, lambda weight: nn.init.orthogonal_(weight, self.gain, generator=rng))
