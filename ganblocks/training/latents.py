"""What samples are made from: latents and classes, each a function of the seed and of its sample's index alone.

Numbers come in blocks of :data:`BLOCK` samples, each block from a generator of its own, and always whole: so a sample has the
same latent and class however many are drawn, and whichever is drawn first.
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
"""What a truncation of τ can mean; see :func:`latents`."""


def latents(
    n: int, size: int, seed: int, truncation: float | None = None, convention: str = RESAMPLE, start: int = 0
) -> Tensor:
    """Standard normal latents [n, size], or truncated ones, where three conventions give τ three meanings.

    The same uniform numbers lie beneath all of them: a smaller τ makes the same samples less extreme.

    Args:
        n: how many.
        size: Z.
        seed: with the index of a sample, the only source of randomness.
        truncation: τ; None for no truncation.
        convention: ``"resample"`` draws each coordinate again until it lies in [-τ, τ] (the paper's text);
            ``"scaled_resample"`` until it lies in [-2, 2], times τ (the generators that its authors published);
            ``"std"`` multiplies by τ and cuts nothing (the PyTorch code of its first author).
        start: index of the first.
    """
    uniform = _rows(n, start, lambda rng: torch.rand(BLOCK, size, generator=rng, dtype=torch.float64), seed, "latent")
    return latents_at(uniform, truncation, convention)


def latents_at(uniform: Tensor, truncation: float | None = None, convention: str = RESAMPLE) -> Tensor:
    """Return the latents [n, Z], float32, that stand at places [n, Z] in [0, 1) of the distribution of :func:`latents`."""
    if convention not in CONVENTIONS:
        raise UsageError(f"no convention of truncation {convention!r}: {', '.join(CONVENTIONS)}")
    if truncation is None and convention != RESAMPLE:
        raise UsageError(f"{convention} says how to truncate, but there is no truncation: give one, such as 0.7")
    if truncation is not None and not truncation > 0:
        raise UsageError(f"truncation must be above 0, got {truncation:g}")
    if truncation is None:
        return _normal(uniform)
    if convention == RESAMPLE:
        return _normal(uniform, truncation)
    return truncation * (_normal(uniform, 2.0) if convention == "scaled_resample" else _normal(uniform))


def labels(n: int, classes: int, seed: int, start: int = 0) -> Tensor:
    """Classes int64 [n], drawn uniformly."""
    return _rows(n, start, lambda rng: torch.randint(classes, (BLOCK,), generator=rng), seed, "label")


def _rows(n: int, start: int, block: Callable[[torch.Generator], Tensor], seed: int, what: str) -> Tensor:
    """The rows start … start + n of an endless table that is drawn block by block."""
    first = start // BLOCK
    numbers = range(first, max(-(-(start + n) // BLOCK), first + 1))
    blocks = [block(torch.Generator().manual_seed(seed_of(seed, "sample", what, number))) for number in numbers]
    return torch.cat(blocks)[start - first * BLOCK :][:n]


def _normal(uniform: Tensor, bound: float = torch.inf) -> Tensor:
    """Float64 numbers in [0, 1) -> float32 numbers of the standard normal cut to [-bound, bound].

    Resampling is done by inverting the normal distribution function between its values there.
    """
    edge = torch.tensor(min(bound, 8.3), dtype=torch.float64)  # beyond it there is nothing between 0 and 1 to invert
    low, high = torch.special.ndtr(-edge), torch.special.ndtr(edge)
    cut: Tensor = torch.special.ndtri(low + (high - low) * uniform)
    return cut.clamp(-edge, edge).float()
