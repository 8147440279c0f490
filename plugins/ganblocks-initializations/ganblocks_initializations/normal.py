"""Normal initialization."""

from __future__ import annotations

import torch
from attrs import frozen
from torch import nn

from ganblocks import option
from ganblocks_initializations.filling import fill_with


@frozen(kw_only=True)
class Normal:
    """Draw weights from a normal distribution of mean 0, and set biases to zero.

    Use it with a feature norm after each layer, as in DCGAN. In deep networks without one a fixed std makes activations shrink:
    use ``xavier`` there.

    Source: Radford et al. (2016), "DCGAN", arXiv:1511.06434, section 4.

    Options:
        std: standard deviation.
    """

    std: float = option(0.02, above=0)

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        """Fill the layer's weight and bias in place with numbers from ``rng``."""
        fill_with(layer, lambda weight: nn.init.normal_(weight, 0.0, self.std, generator=rng))
