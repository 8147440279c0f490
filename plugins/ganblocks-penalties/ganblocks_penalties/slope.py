"""The discriminator's slope: the gradient of each image's logit with respect to that image."""

from __future__ import annotations

import torch
from torch import Tensor


def image_gradient(logits: Tensor, image: Tensor) -> Tensor:
    """∇D(x) for logits [B] that were computed from image [B, C, H, W]: shaped as the image, itself differentiable.

    One backward pass gives all rows, because a logit depends on its own image only. (In a discriminator that mixes samples it
    does not, and what comes out is the gradient of the sum.)
    """
    (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    return gradient


def half_mean_square(gradient: Tensor) -> Tensor:
    """½ E‖g‖² for g [B, C, H, W]: 0-dim."""
    return gradient.square().sum() / (2 * len(gradient))


def norms(gradient: Tensor) -> Tensor:
    """‖g‖ of each sample, [B], for g [B, C, H, W].

    The length of a vector has no derivative at 0. Adding a small number under the root gives it one, but moves every
    value, and with it the place of the optimum. Here values are exact, and the derivative at 0 is 0, the mean of all
    directions. Both sides of the choice are kept finite, because autograd multiplies the side that was not taken by zero, and
    0 · ∞ is not a number.
    """
    squares = gradient.square().sum(dim=(1, 2, 3))
    steep = squares > 0
    return torch.where(steep, torch.where(steep, squares, 1).sqrt(), 0)
