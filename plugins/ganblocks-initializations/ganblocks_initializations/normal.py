"""Normal initialization."""

from __future__ import annotations

import torch
from attrs import field, frozen
from attrs.validators import gt, instance_of
from torch import nn

from ganblocks_initializations.filling import fill_with


@frozen(kw_only=True)
class Normal:
    """Draw weights from a normal distribution of mean 0, and set biases to zero.

    Use it with a feature norm after each layer, as in DCGAN. Deep networks without one shrink their signals under a fixed std;
    use ``xavier`` there.

    Source: Radford et al. (2016), "DCGAN", arXiv:1511.06434, section 4.

    Options:
        std: standard deviation.
    """

    std: float = field(default=0.02, validator=[instance_of((int, float)), gt(0)])

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        fill_with(layer, lambda weight: nn.init.normal_(weight, 0.0, self.std, generator=rng))
