"""Power iteration for many matrices at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ganblocks import without_autocast
from ganblocks_spectral.divide import Estimate

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@torch.no_grad()
def power_iterations(weights: Sequence[Tensor], estimates: Sequence[Estimate], n: int, eps: float) -> None:
    """Update u and v of each estimate in place by n iterations v = Mᵀu / |Mᵀu|, u = M v / |M v|, with norms of at least eps."""
    us, vs = [estimate.u for estimate in estimates], [estimate.v for estimate in estimates]
    matrices = [e.matrix(weight).to(e.u.dtype) for e, weight in zip(estimates, weights, strict=True)]
    with without_autocast(weights[0]):
        for _ in range(n):
            _multiply([matrix.mT for matrix in matrices], us, vs, eps)
            _multiply(matrices, vs, us, eps)


def _multiply(matrices: list[Tensor], inputs: list[Tensor], outputs: list[Tensor], eps: float) -> None:
    """Write M x / max(|M x|, eps) of each matrix [N, M] and input [M] into its output [N]."""
    for matrix, x, y in zip(matrices, inputs, outputs, strict=True):
        torch.mv(matrix, x, out=y)
    norms = torch._foreach_norm(outputs)
    torch._foreach_clamp_min_(norms, eps)
    torch._foreach_div_(outputs, norms)


def grouped(items: Sequence[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return the items by key, in their order."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
