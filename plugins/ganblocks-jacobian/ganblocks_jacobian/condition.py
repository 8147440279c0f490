"""The condition number of the generator: how unevenly images turn with the latent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from attrs import field, frozen
from attrs.validators import ge, gt, instance_of, lt
from torch import Tensor
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual
from torch.nn.attention import SDPBackend, sdpa_kernel

from ganblocks import DataError, ExaminesGenerator

Generate = Callable[[Tensor, Tensor | None], Tensor]


@frozen(kw_only=True)
class JacobianCondition(ExaminesGenerator):
    """The mean over latents of the log condition number of the generator's metric tensor.

    With J = ∂G/∂z at z, [pixels, Z], and M = JᵀJ: log(λ_max(M) / λ_min(M)) = 2 log(s_max / s_min) for the singular values s of
    J, a natural logarithm; 0 where steps in all directions of the latent move the image equally far. λ_min counts as
    floor · λ_max at least, also where the generator does not move at all. ``log_condition`` is the mean, ``log_condition_std``
    the standard deviation over latents, which a single one does not have. Each latent costs one forward of Z samples with
    forward-mode derivatives.

    Use it to see whether directions of the latent have collapsed, and to compare seeds of one recipe. It says nothing of how
    good images are, and numbers of networks with another Z do not compare.

    Source: Odena et al. (2018), "Is Generator Conditioning Causally Related to GAN Performance?", arXiv:1802.08768.

    Options:
        latents: at how many of the evaluation's latents, from the first on.
        floor: the least λ_min / λ_max that counts: below it is the rounding of float32.
    """

    better: ClassVar[dict[str, str]] = {"log_condition": "lower"}

    latents: int = field(default=32, validator=[instance_of(int), ge(1)])
    floor: float = field(default=1e-12, validator=[instance_of(float), gt(0), lt(1)])

    def examine(self, generate: Generate, latent: Tensor, label: Tensor | None, seed: int) -> dict[str, float]:
        places = range(min(self.latents, len(latent)))
        found = [self._at(generate, latent[i], None if label is None else label[i]) for i in places]
        logs = torch.tensor(found, dtype=torch.float64)
        spread = {"log_condition_std": float(logs.std(correction=0))} if len(logs) > 1 else {}
        return {"log_condition": float(logs.mean())} | spread

    def _at(self, generate: Generate, z: Tensor, label: Tensor | None) -> float:
        matrix = jacobian(generate, z, label)
        if not matrix.isfinite().all():
            raise DataError("the generator's Jacobian is not finite: it has diverged, or its images have infinite slopes")
        return log_condition(matrix, self.floor)


def jacobian(generate: Generate, z: Tensor, label: Tensor | None) -> Tensor:
    """∂G/∂z [pixels, Z] at z [Z], in float64, on the processor: one directional derivative per column, all in one batch."""
    size = len(z)
    labels = None if label is None else label.expand(size)
    here, directions = z.expand(size, size).contiguous(), torch.eye(size, dtype=z.dtype)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), dual_level():  # fused attention has no forward-mode derivative
        dual: Tensor = make_dual(here, directions)  # type: ignore[no-untyped-call]
        image, columns = unpack_dual(generate(dual, labels))  # type: ignore[no-untyped-call]
    columns = torch.zeros_like(image) if columns is None else columns
    return columns.flatten(1).T.double().cpu()


def log_condition(matrix: Tensor, floor: float) -> float:
    """log(λ_max / λ_min) of matrixᵀ matrix, with λ_min at least floor · λ_max."""
    squares = torch.linalg.svdvals(matrix).square()
    rows, columns = matrix.shape
    least = squares[-1] if rows >= columns else squares.new_zeros(())  # fewer pixels than latents: M has a kernel
    share = float(least / squares[0]) if squares[0] > 0 else 0.0
    return -math.log(max(share, floor))
