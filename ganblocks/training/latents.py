"""Latents and classes of samples, as functions of the seed and the sample's index alone.

They are drawn in whole blocks of :data:`BLOCK` samples, each from a generator of its own, so a sample has the same latent and
class however many are drawn and from whichever index on.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganblocks.errors import UsageError
from ganblocks.seeding import seed_of

BLOCK = 64
RESAMPLE = "resample"
CONVENTIONS = (RESAMPLE, "scaled_resample", "std")
"""Meanings of a truncation τ; see :func:`latents`."""


def latents(
    n: int, size: int, seed: int, truncation: float | None = None, convention: str = RESAMPLE, start: int = 0
) -> Tensor:
    """Return standard normal latents [n, size], truncated by τ if given.

    All conventions transform the same uniform numbers: a smaller τ makes the same samples less extreme.

    Args:
        n: number of samples.
        size: Z.
        seed: the only source of randomness, with the index of a sample.
        truncation: τ; None for no truncation.
        convention: ``"resample"`` resamples each coordinate until it lies in [-τ, τ] (BigGAN, arXiv:1809.11096);
            ``"scaled_resample"`` until it lies in [-2, 2], times τ (the generators that its authors published);
            ``"std"`` multiplies by τ without truncation (the PyTorch code of its first author).
        start: index of the first sample.
    """
    uniform = _rows(n, start, lambda rng: torch.rand(BLOCK, size, generator=rng, dtype=torch.float64), seed, "latent")
    return latents_at(uniform, truncation, convention)


def latents_at(uniform: Tensor, truncation: float | None = None, convention: str = RESAMPLE) -> Tensor:
    """Return the quantiles [n, Z], float32, of the distribution of :func:`latents` at probabilities ``uniform`` [n, Z]."""
    if convention not in CONVENTIONS:
        raise UsageError(f"unknown truncation convention {convention!r}: use {', '.join(CONVENTIONS)}")
    if truncation is None and convention != RESAMPLE:
        raise UsageError(f"{convention} says how to truncate, but there is no truncation; give one, such as 0.7")
    if truncation is not None and not truncation > 0:
        raise UsageError(f"truncation must be above 0, got {truncation:g}")
    if truncation is None:
        return _normal(uniform)
    if convention == RESAMPLE:
        return _normal(uniform, truncation)
    return truncation * (_normal(uniform, 2.0) if convention == "scaled_resample" else _normal(uniform))


def labels(n: int, classes: int, seed: int, start: int = 0) -> Tensor:
    """Return uniformly drawn classes, int64 [n]."""
    return _rows(n, start, lambda rng: torch.randint(classes, (BLOCK,), generator=rng), seed, "label")


def _rows(n: int, start: int, block: Callable[[torch.Generator], Tensor], seed: int, what: str) -> Tensor:
    """Return rows start … start + n of an endless table that is drawn block by block."""
    first = start // BLOCK
    numbers = range(first, max(-(-(start + n) // BLOCK), first + 1))
    blocks = [block(torch.Generator().manual_seed(seed_of(seed, "sample", what, number))) for number in numbers]
    return torch.cat(blocks)[start - first * BLOCK :][:n]


def _normal(uniform: Tensor, bound: float = torch.inf) -> Tensor:
    """Return quantiles, float32, of the standard normal truncated to [-bound, bound], by inverting its CDF."""
    edge = torch.tensor(min(bound, 8.3), dtype=torch.float64)  # beyond it the distribution function is 0 or 1
    low, high = torch.special.ndtr(-edge), torch.special.ndtr(edge)
    cut: Tensor = torch.special.ndtri(low + (high - low) * uniform)
    return cut.clamp(-edge, edge).float()
