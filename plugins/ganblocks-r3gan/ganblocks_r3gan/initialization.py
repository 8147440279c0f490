"""How R3GAN's layers start: by their fan-in, scaled where they stand in a residual branch.

A branch begins as the zero function, because its last layer starts at 0, and the layers before it start smaller the more
branches there are. So a network without any norm neither explodes nor vanishes at its start, however deep it is.
"""

from __future__ import annotations

import math
from typing import cast

import attrs
import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Initialization, Site

SLOPE = 0.2
"""Of the leaky ReLU, below 0."""
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""Keeps the second moment of activations through a leaky ReLU of that slope."""
LAYERS = 3
"""Convolutions of a residual branch."""


@frozen
class FanIn:
    """Normal weights of variance 1 / fan-in, and biases of 0. An embedding counts as a linear layer from classes to features.

    Source: He et al. (2015), arXiv:1502.01852, without the gain of an activation.
    """

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        weight = cast("Tensor", layer.weight)
        fresh = torch.randn(weight.shape, generator=rng, dtype=torch.promote_types(weight.dtype, torch.float32), device="cpu")
        with torch.no_grad():
            weight.copy_(fresh / math.sqrt(_fan_in(layer, weight)))
            if isinstance(bias := getattr(layer, "bias", None), Tensor):
                bias.zero_()


@frozen
class Scaled:
    """Another rule's weights (None: torch's own for the layer), multiplied by a number."""

    rule: Initialization | None
    by: float

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        if self.rule is None:
            layer.reset_parameters()  # type: ignore[operator]  # every torch layer with weights has it
        else:
            self.rule.fill(layer, rng)
        with torch.no_grad():
            cast("Tensor", layer.weight).mul_(self.by)


def scaled(site: Site, by: float) -> Site:
    """The same place, where layers start ``by`` times as large."""
    return attrs.evolve(site, initialization=Scaled(site.initialization, by))


def silent(site: Site) -> Site:
    """The same place, where layers start at 0. No weight norm stands here: it would divide 0 by its norm, 0."""
    return attrs.evolve(scaled(site, 0.0), weight_norm=None)


def branch_gain(branches: int) -> float:
    """By what the layers of a residual branch are scaled, but for the last, in a network with so many branches.

    gain · L^(-1 / (2m - 2)) for L branches of m layers.

    Source: Zhang et al. (2019), "Fixup Initialization", arXiv:1901.09321; R3GAN, arXiv:2501.05441, section 3.
    """
    return GAIN * float(branches ** (-1 / (2 * LAYERS - 2)))


def _fan_in(layer: nn.Module, weight: Tensor) -> int:
    """How many inputs each output sums; an embedding's are classes, a transposed convolution's windows never overlap here."""
    if isinstance(layer, nn.Embedding):
        return len(weight)
    if isinstance(layer, nn.ConvTranspose2d):
        return len(weight) // layer.groups
    return weight[0].numel()
