"""The condition number of the generator's Jacobian."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual
from torch.nn.attention import SDPBackend, sdpa_kernel

from ganblocks import DataError, option

Generate = Callable[[Tensor, Tensor | None], Tensor]


@frozen(kw_only=True)
class JacobianCondition:
    """The mean over latents of the log condition number of the generator's metric tensor.

    With J = ∂G/∂z at z, [pixels, Z], and M = JᵀJ: log(λ_max(M) / λ_min(M)) = 2 log(s_max / s_min) for the singular values s of
    J, a natural logarithm; 0 where steps in all directions of the latent move the image equally far. λ_min counts as
    floor · λ_max at least, also where the image does not depend on the latent. ``log_condition`` is the mean,
    ``log_condition_std`` the standard deviation over latents, absent for a single one. Each latent costs one forward pass of Z
    samples with forward-mode derivatives.

    Use it to detect collapsed directions of the latent, and to compare seeds of one recipe. It does not measure image quality,
    and numbers of networks with different Z are not comparable.

    Source: Odena et al. (2018), "Is Generator Conditioning Causally Related to GAN Performance?", arXiv:1802.08768.

    Options:
        latents: number of the evaluation's latents to use, from the first on.
        floor: smallest λ_min / λ_max; below it is rounding error of float32.
    """

    better: ClassVar[dict[str, str]] = {"log_condition": "lower"}

    latents: int = option(32, low=1)
    floor: float = option(1e-12, above=0, below=1)

    def examine(self, generate: Generate, latent: Tensor, label: Tensor | None, seed: int) -> dict[str, float]:
        """Return ``log_condition`` over latents [n, Z] and labels [n], and ``log_condition_std``. Raises DataError."""
        count = min(self.latents, len(latent))
        values = [self._at(generate, latent[i], None if label is None else label[i]) for i in range(count)]
        logs = torch.tensor(values, dtype=torch.float64)
        spread = {"log_condition_std": float(logs.std(correction=0))} if len(logs) > 1 else {}
        return {"log_condition": float(logs.mean())} | spread

    def _at(self, generate: Generate, z: Tensor, label: Tensor | None) -> float:
        matrix = jacobian(generate, z, label)
        if not matrix.isfinite().all():
            raise DataError("the generator's Jacobian is not finite: it has diverged, or its images have infinite slopes")
        return log_condition(matrix, self.floor)


def jacobian(generate: Generate, z: Tensor, label: Tensor | None) -> Tensor:
    """Return ∂G/∂z [pixels, Z] at z [Z], in float64, on the CPU: one directional derivative per column, all in one batch."""
    size = len(z)
    labels = None if label is None else label.expand(size)
    point, directions = z.expand(size, size).contiguous(), torch.eye(size, dtype=z.dtype)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), dual_level():  # fused attention has no forward-mode derivative
        dual: Tensor = make_dual(point, directions)  # type: ignore[no-untyped-call]
        image, columns = unpack_dual(generate(dual, labels))  # type: ignore[no-untyped-call]
    columns = torch.zeros_like(image) if columns is None else columns
    return columns.flatten(1).T.double().cpu()


def log_condition(matrix: Tensor, floor: float) -> float:
    """Return log(λ_max / λ_min) of matrixᵀ matrix, for a matrix [P, Z], with λ_min at least floor · λ_max."""
    squares = torch.linalg.svdvals(matrix).square()
    rows, columns = matrix.shape
    least = squares[-1] if rows >= columns else squares.new_zeros(())  # fewer pixels than latents: M has a kernel
    share = float(least / squares[0]) if squares[0] > 0 else 0.0
    return -math.log(max(share, floor))
