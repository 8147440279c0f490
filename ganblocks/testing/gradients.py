"""Compare gradients with finite differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from hypothesis import reject
from torch import Tensor

from ganblocks.testing import expect


def direction(like: Tensor, seed: int) -> Tensor:
    """Return a fixed random tensor of the same shape and type."""
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=like.dtype)


def weighted_sum(x: Tensor, seed: int = 5) -> Tensor:
    """Return a fixed random linear combination (0-dim) of all values of ``x``."""
    return (direction(x, seed) * x).sum()


def expect_gradients(value: Callable[[], Tensor], leaves: Sequence[Tensor], what: str = "") -> None:
    """Expect the derivative of ``value()`` (0-dim) along a random direction of the leaves, of any shape, to match differences.

    Near a kink (of a ReLU, or of a maximum) one width may straddle it; a lost gradient is wrong for all widths.
    """
    start = value()
    if not start.requires_grad:
        expect.fail(f"{what}no gradient reaches the inputs or parameters")
    if start.dtype != torch.float64:
        reject()
    gradients = torch.autograd.grad(start, leaves, allow_unused=True)
    directions = [direction(leaf, 11 + i) for i, leaf in enumerate(leaves)]
    claimed = sum(float((d * g).sum()) for d, g in zip(directions, gradients, strict=True) if g is not None)
    measured = [_difference(value, leaves, directions, width) for width in (1e-6, 1e-7, 1e-8, 1e-5, 1e-9)]
    nearest = min(measured, key=lambda slope: abs(slope - claimed))
    expect.that(
        abs(nearest - claimed) <= 1e-4 * (abs(claimed) + abs(nearest) + 0.1),
        f"{what}along a random direction the gradient is {claimed:.6g}, by finite differences {nearest:.6g}",
    )


def _difference(value: Callable[[], Tensor], leaves: Sequence[Tensor], directions: Sequence[Tensor], width: float) -> float:
    sides = []
    for sign in (1, -2, 1):  # forward, back past the start, and to the start
        with torch.no_grad():
            for leaf, along in zip(leaves, directions, strict=True):
                leaf += sign * width * along
        sides.append(float(value().detach()))
    return (sides[0] - sides[1]) / (2 * width)
