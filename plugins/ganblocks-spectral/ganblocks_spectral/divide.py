"""W / σ̂ and its gradient, in float32 at least, for many weights at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganblocks import without_autocast


class Estimate(NamedTuple):
    """Estimated singular vectors of a weight, constant in gradients, and how the weight is a matrix."""

    u: Tensor
    """[N]."""
    v: Tensor
    """[M]."""
    order: tuple[int, ...]
    """The dimensions of the weight, in the order in which it becomes a matrix [N, M]: N is the first of them."""

    def matrix(self, weight: Tensor) -> Tensor:
        """Return a weight as a matrix [N, M], as a view if the memory format allows."""
        return weight.permute(self.order).flatten(1)

    def weight(self, matrix: Tensor, shape: torch.Size) -> Tensor:
        """Return a matrix [N, M] as a weight of this shape: undo :meth:`matrix`."""
        inverse = [self.order.index(dimension) for dimension in range(len(shape))]
        return matrix.view([shape[dimension] for dimension in self.order]).permute(inverse)

    def sigma(self, weight: Tensor) -> Tensor:
        """Return σ̂ = uᵀ M v, 0-dim, in the precision of u even under autocast."""
        with without_autocast(weight):
            return torch.dot(self.u, torch.mv(self.matrix(weight).to(self.u.dtype), self.v))


def divide(weights: Sequence[Tensor], estimates: Sequence[Estimate]) -> tuple[Tensor, ...]:
    """Return W̄ = W / σ̂ of each weight, of equal shape, twice differentiable; gradients treat u and v as constants."""
    normalised: tuple[Tensor, ...] = _Divide.apply(estimates, *weights)
    return normalised


class _Divide(torch.autograd.Function):
    """W / (uᵀ M v): autograd's backward reads or writes each weight nine times, this closed form four times."""

    @staticmethod
    def forward(ctx: Any, estimates: Sequence[Estimate], *weights: Tensor) -> tuple[Tensor, ...]:
        sigmas = [estimate.sigma(weight) for estimate, weight in zip(estimates, weights, strict=True)]
        normalised = tuple(torch._foreach_div(weights, sigmas))
        ctx.orders = [estimate.order for estimate in estimates]
        ctx.set_materialize_grads(False)
        vectors = zip(*((estimate.u, estimate.v) for estimate in estimates), strict=True)
        ctx.save_for_backward(*weights, *sigmas, *normalised, *(vector for side in vectors for vector in side))
        return normalised

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """dL/dW = (G - <G, W̄> u vᵀ) / σ̂ with G = dL/dW̄; None for a weight that was not used."""
        n, saved = len(grads), ctx.saved_tensors  # read once: checkpointing recomputes them only once
        weights, sigmas, normalised, us, vs = (saved[start : start + n] for start in range(0, 5 * n, n))
        used = {index: grad for index, grad in enumerate(grads) if grad is not None}
        if not used:
            return (None,) * (n + 1)
        estimates = {index: Estimate(us[index], vs[index], ctx.orders[index]) for index in used}
        if torch.is_grad_enabled():  # for second derivatives σ̂ must depend on the weight
            sigmas = {index: estimate.sigma(weights[index]) for index, estimate in estimates.items()}
        scaled = torch._foreach_div(list(used.values()), [sigmas[index] for index in used])
        pulled = _without_pull(scaled, [normalised[index] for index in used], list(estimates.values()))
        of_weight = dict(zip(used, pulled, strict=True))
        return (None, *(of_weight.get(index) for index in range(n)))


def _without_pull(grads: Sequence[Tensor], normalised: Sequence[Tensor], estimates: Sequence[Estimate]) -> list[Tensor]:
    """Return G - <G, W̄> u vᵀ for each gradient G, of equal shape."""
    matrices = [estimate.matrix(grad) for estimate, grad in zip(estimates, grads, strict=True)]
    others = [estimate.matrix(weight) for estimate, weight in zip(estimates, normalised, strict=True)]
    pulls = [torch.dot(one.flatten(), two.flatten()) for one, two in zip(matrices, others, strict=True)]
    columns = [column.unsqueeze(1) for column in torch._foreach_mul([estimate.u for estimate in estimates], pulls)]
    rows = [estimate.v.unsqueeze(0) for estimate in estimates]
    differences = torch._foreach_addcmul(matrices, columns, rows, value=-1)
    return [e.weight(matrix, grad.shape) for e, matrix, grad in zip(estimates, differences, grads, strict=True)]
