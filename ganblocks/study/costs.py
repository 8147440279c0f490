"""The size and work of a variant's networks, and the parameters that it swaps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from attrs import frozen

from ganblocks.assembly import build_discriminator, build_generator
from ganblocks.recipe import Recipe
from ganblocks.summary import network_costs
from ganblocks.values import ImageSpec

MOST_APART = 0.025
"""Largest relative difference in parameters of swapped blocks that count as equal in size."""
Shape = tuple[int, ...]


@frozen
class Cost:
    """Both networks of a variant."""

    shapes: Mapping[str, Shape]
    """Name of every parameter of both networks -> its shape."""
    flops: int
    """Of one forward pass of one image through both networks; a multiply-add counts as two."""

    @property
    def parameters(self) -> int:
        """Number of parameters of both networks."""
        return _count(self.shapes.items())


@frozen
class Swap:
    """The parameters in which two variants differ."""

    mine: int
    """Parameters that only this variant has."""
    theirs: int
    """Parameters that only the other has."""

    @property
    def apart(self) -> float:
        """Their difference over the larger."""
        return abs(self.mine - self.theirs) / max(self.mine, self.theirs, 1)

    @property
    def adds_or_removes(self) -> bool:
        """Whether one variant lacks the block altogether: the comparison is then of its presence, not of its kind."""
        return (self.mine == 0) != (self.theirs == 0)

    @property
    def alike(self) -> bool:
        """Whether the swap leaves the size about equal, or adds or removes a block."""
        return self.adds_or_removes or self.apart <= MOST_APART

    def summary(self) -> str:
        """Return the swap in a few words."""
        if not self.mine and not self.theirs:
            return "same parameters"
        if self.adds_or_removes:
            return f"adds {self.mine:,} parameters" if self.mine else f"lacks {self.theirs:,} parameters"
        return f"{self.mine:,} parameters for {self.theirs:,} ({(self.mine - self.theirs) / self.theirs:+.1%})"


def cost_of(recipe: Recipe, image: ImageSpec) -> Cost:
    """Measure a recipe's networks on the meta device, without allocating memory."""
    shapes: dict[str, Shape] = {}
    with torch.device("meta"):
        for player, build in (("generator", build_generator), ("discriminator", build_discriminator)):
            network = build(recipe, image, seed=0)
            shapes |= {f"{player}.{name}": tuple(parameter.shape) for name, parameter in network.named_parameters()}
    return Cost(shapes, sum(cost.flops for cost in network_costs(recipe, image).values()))


def swap(mine: Cost, theirs: Cost) -> Swap:
    """Compare two variants; parameters are the same where name and shape are."""
    own, other = set(mine.shapes.items()), set(theirs.shapes.items())
    return Swap(_count(own - other), _count(other - own))


def _count(parameters: Iterable[tuple[str, Shape]]) -> int:
    return sum(math.prod(shape) for _, shape in parameters)
