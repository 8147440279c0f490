"""W / σ̂ and its gradient, in float32 at least."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganblocks import without_autocast


def matrix_of(weight: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return a weight as a matrix [N, M], N its first dimension in ``order``, as a view if the memory format allows."""
    return weight.permute(order).flatten(1)


def singular_value(weight: Tensor, u: Tensor, v: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return σ̂ = uᵀ M v, 0-dim, in the precision of u even under autocast."""
    with without_autocast(weight):
        return torch.dot(u, torch.mv(matrix_of(weight, order).to(u.dtype), v))


def divide(weight: Tensor, u: Tensor, v: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return W̄ = W / σ̂ of the same shape, twice differentiable; its gradient treats u and v as constants."""
    normalised: Tensor = _Divide.apply(weight, u, v, order)
    return normalised


class _Divide(torch.autograd.Function):
    """W / (uᵀ M v): autograd's backward reads or writes the weight nine times, this closed form four times."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, u: Tensor, v: Tensor, order: tuple[int, ...]) -> Tensor:
        sigma = singular_value(weight, u, v, order)
        normalised = weight / sigma
        ctx.order = order
        ctx.save_for_backward(weight, u, v, sigma, normalised)
        return normalised

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        """dL/dW = (G - <G, W̄> u vᵀ) / σ̂ with G = dL/dW̄."""
        weight, u, v, sigma, normalised = ctx.saved_tensors
        if torch.is_grad_enabled():  # for second derivatives σ̂ must depend on the weight
            sigma = singular_value(weight, u, v, ctx.order)
        grad = matrix_of(grads[0] / sigma, ctx.order)
        pull = torch.dot(grad.flatten(), matrix_of(normalised, ctx.order).flatten())
        grad = torch.addcmul(grad, (pull * u).unsqueeze(1), v, value=-1)
        return _weight_like(grad, weight, ctx.order), None, None, None


def _weight_like(matrix: Tensor, weight: Tensor, order: tuple[int, ...]) -> Tensor:
    """Undo ``matrix_of``."""
    shape = [weight.shape[dimension] for dimension in order]
    inverse = [order.index(dimension) for dimension in range(weight.ndim)]
    return matrix.view(shape).permute(inverse)
