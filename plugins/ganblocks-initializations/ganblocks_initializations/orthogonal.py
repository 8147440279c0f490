"""Orthogonal initialization."""

from __future__ import annotations

import torch
from attrs import field, frozen
from attrs.validators import gt, instance_of
from torch import nn

from ganblocks_initializations.filling import fill_with


@frozen(kw_only=True)
class Orthogonal:
    """Draw a random orthogonal matrix times gain, and set biases to zero.

    The weight as a matrix of (outputs, all the rest) has orthonormal rows, or orthonormal columns where it is higher than wide:
    all its singular values equal gain. BigGAN's rule.

    Use it for BigGAN's networks, and under spectral norm, whose estimate is exact after one iteration where all singular values
    are equal.

    Source: Saxe et al. (2014), "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    arXiv:1312.6120, section 3; Brock et al. (2019), "BigGAN", arXiv:1809.11096, Appendix C.

    Options:
        gain: every singular value.
    """

    gain: float = field(default=1.0, validator=[instance_of((int, float)), gt(0)])

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        fill_with(layer, lambda weight: nn.init.orthogonal_(weight, self.gain, generator=rng))
