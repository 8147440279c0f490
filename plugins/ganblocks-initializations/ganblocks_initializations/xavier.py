"""Xavier initialization."""

from __future__ import annotations

from typing import Literal

import torch
from attrs import frozen
from torch import nn

from ganblocks import option
from ganblocks_initializations.filling import fill_with


@frozen(kw_only=True)
class Xavier:
    """Draw weights with variance gain² · 2 / (fan in + fan out), and set biases to zero.

    Uniform on [-a, a] with a = gain · sqrt(6 / (fan in + fan out)), or normal. A fan is channels times kernel positions; an
    embedding counts as a linear layer from classes to features. SAGAN's rule for every layer of both networks.

    Use it to keep the size of activations independent of the width, with or without spectral norm: the default of ``resnet``.

    Source: Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward neural networks", AISTATS
    (PMLR 9:249-256), equation 16; SAGAN's code, arXiv:1805.08318.

    Options:
        gain: factor of the standard deviation.
        distribution: "uniform" or "normal".
    """

    gain: float = option(1.0, above=0)
    distribution: Literal["uniform", "normal"] = option("uniform")

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        """Fill the layer's weight and bias in place with numbers from ``rng``."""
        draw = nn.init.xavier_uniform_ if self.distribution == "uniform" else nn.init.xavier_normal_
        fill_with(layer, lambda weight: draw(weight, self.gain, generator=rng))
