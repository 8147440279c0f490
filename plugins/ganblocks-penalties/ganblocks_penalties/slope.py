"""The discriminator's slope, the gradient of each logit with respect to its image, and noisy points to evaluate it at."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ganblocks import Turn


class HalfSquaredSlope(nn.Module):
    """forward(turn) -> ½ E‖∇D(x)‖² on the turn's real images or fakes, with the scores that the turn already has."""

    def __init__(self, side: Literal["real", "fake"]) -> None:
        super().__init__()
        self.side = side

    def forward(self, turn: Turn) -> Tensor:
        """Return the penalty, 0-dim."""
        view = turn.real if self.side == "real" else turn.fake
        assert view is not None, "a discriminator's turn has real images"
        gradient = image_gradient(view.score.logits, view.image)
        return gradient.square().sum() / (2 * len(gradient))


def image_gradient(logits: Tensor, image: Tensor) -> Tensor:
    """Return ∇D(x), [B, C, H, W] and differentiable, for logits [B] that were computed from image [B, C, H, W].

    One backward pass gives all rows, because each logit depends only on its own image. In a discriminator that mixes samples
    the result is the gradient of the sum.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    return gradient


def norms(gradient: Tensor) -> Tensor:
    """Return ‖g‖ of each sample, [B], for g [B, C, H, W], with derivative 0 at g = 0.

    The norm has no derivative at 0. A small number under the root would give it one, but move every value, and with it the
    optimum. Here values are exact, and the derivative at 0 is the mean over all directions. Both arguments of ``where`` must be
    finite, because autograd multiplies the one that was not taken by zero, and 0 · ∞ is nan.
    """
    squares = gradient.square().sum(dim=(1, 2, 3))
    steep = squares > 0
    return torch.where(steep, torch.where(steep, squares, 1).sqrt(), 0)


def add_noise(x: Tensor, std: float | Tensor, rng: torch.Generator) -> Tensor:
    """Return x [...] plus normal noise of standard deviation ``std`` (a number or 0-dim), drawn on the CPU."""
    return x + std * torch.randn(x.shape, generator=rng, device="cpu").to(x, non_blocking=True)
