"""Initial values of R3GAN's layers: by their fan-in, scaled in residual branches.

A branch starts as the zero function, because its last layer starts at 0. The layers before it start smaller the more branches
there are. So activations of a network without norms neither explode nor vanish at the start, at any depth.
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
"""Slope of the leaky ReLU for negative inputs."""
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
        """Fill the weight and the bias of ``layer``."""
        weight = cast("Tensor", layer.weight)
        fresh = torch.randn(weight.shape, generator=rng, dtype=torch.promote_types(weight.dtype, torch.float32), device="cpu")
        with torch.no_grad():
            weight.copy_(fresh / math.sqrt(_fan_in(layer, weight)))
            if isinstance(bias := getattr(layer, "bias", None), Tensor):
                bias.zero_()


@frozen
class Scaled:
    """Another rule's values (None: torch's own for the layer), with the weight multiplied by a number."""

    rule: Initialization | None
    by: float

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        """Fill ``layer`` by the rule, then scale its weight."""
        if self.rule is None:
            layer.reset_parameters()  # type: ignore[operator]  # every torch layer with weights has it
        else:
            self.rule.fill(layer, rng)
        with torch.no_grad():
            cast("Tensor", layer.weight).mul_(self.by)


def scaled(site: Site, by: float) -> Site:
    """Return the site with weights that start ``by`` times as large."""
    return attrs.evolve(site, initialization=Scaled(site.initialization, by))


def silent(site: Site) -> Site:
    """Return the site with weights that start at 0, without a weight norm, which would divide 0 by 0."""
    return attrs.evolve(scaled(site, 0.0), weight_norm=None)


def branch_gain(branches: int) -> float:
    """Return the scale of all but the last layer of a branch: gain · L^(-1 / (2m - 2)) for L branches of m layers.

    Source: Zhang et al. (2019), "Fixup Initialization", arXiv:1901.09321; R3GAN, arXiv:2501.05441, section 3.
    """
    return GAIN * float(branches ** (-1 / (2 * LAYERS - 2)))


def _fan_in(layer: nn.Module, weight: Tensor) -> int:
    """Return how many inputs each output sums. The windows of a transposed convolution do not overlap here."""
    if isinstance(layer, nn.Embedding):
        return len(weight)
    if isinstance(layer, nn.ConvTranspose2d):
        return len(weight) // layer.groups
    return weight[0].numel()
