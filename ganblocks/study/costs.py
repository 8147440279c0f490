"""What a variant costs, and what it swaps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from attrs import frozen

from ganblocks.assembly import build_discriminator, build_generator
from ganblocks.recipe import Recipe
from ganblocks.summary import network_costs
from ganblocks.values import ImageSpec

MOST_APART = 0.025
"""Swapped blocks whose parameters differ by more of the larger are not of one size."""


@frozen
class Cost:
    """Both networks of a variant."""

    shapes: Mapping[str, tuple[int, ...]]
    """Name of every parameter of both networks -> its shape."""
    flops: int
    """Of one forward of one image through both networks (a multiply-add counts as two)."""

    @property
    def parameters(self) -> int:
        return sum(_numbers(shape) for shape in self.shapes.values())


@frozen
class Swap:
    """What one variant has and another has not, and the other way round."""

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
        """One of both has nothing in that place: the block's size is what is compared, not its kind."""
        return (self.mine == 0) != (self.theirs == 0)

    @property
    def alike(self) -> bool:
        return self.adds_or_removes or self.apart <= MOST_APART

    def words(self) -> str:
        if not self.mine and not self.theirs:
            return "same parameters"
        if self.adds_or_removes:
            return f"adds {self.mine:,} parameters" if self.mine else f"lacks {self.theirs:,} parameters"
        return f"{self.mine:,} parameters for {self.theirs:,} ({(self.mine - self.theirs) / self.theirs:+.1%})"


def cost_of(recipe: Recipe, image: ImageSpec) -> Cost:
    """Measured on the meta device: nothing is allocated."""
    shapes: dict[str, tuple[int, ...]] = {}
    with torch.device("meta"):
        for player, build in (("generator", build_generator), ("discriminator", build_discriminator)):
            network = build(recipe, image, seed=0)
            shapes |= {f"{player}.{name}": tuple(parameter.shape) for name, parameter in network.named_parameters()}
    return Cost(shapes, sum(cost.flops for cost in network_costs(recipe, image).values()))


def swap(mine: Cost, theirs: Cost) -> Swap:
    """Parameters are the same where name and shape are."""
    return Swap(*(sum(_numbers(shape) for name, shape in one - other) for one, other in _both(mine, theirs)))


def _both(mine: Cost, theirs: Cost) -> list[tuple[set[tuple[str, tuple[int, ...]]], set[tuple[str, tuple[int, ...]]]]]:
    one, other = set(mine.shapes.items()), set(theirs.shapes.items())
    return [(one, other), (other, one)]


def _numbers(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
