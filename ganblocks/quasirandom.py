"""Quasi-random latents and labels: fewer of them represent their distribution than of independent draws."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from ganblocks.seeding import seed_of


def uniform(n: int, width: int, seed: int) -> Tensor:
    """Return a scrambled Sobol sequence [n, width], float64, strictly between 0 and 1; every block of it is even too.

    Source: Owen (1998), "Scrambling Sobol' and Niederreiter-Xing points", Journal of Complexity 14.
    """
    seed = seed_of(seed, "points") % 2**31
    sobol_width = min(width, SobolEngine.MAXDIM)
    engine = SobolEngine(sobol_width, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    points = engine.draw(n, dtype=torch.float64)
    rest = torch.rand(n, width - sobol_width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.cat([points, rest], 1).clamp(2**-32, 1 - 2**-32)


def normal(n: int, width: int, seed: int) -> Tensor:
    """Return standard normal latents [n, width], float32, from :func:`uniform`."""
    latent: Tensor = torch.special.ndtri(uniform(n, width, seed))
    return latent.float()


def stratified_labels(n: int, population: Tensor, seed: int) -> Tensor:
    """Return n labels [n] in random order; each class is as frequent as in ``population`` [m], to within one label."""
    rng = torch.Generator().manual_seed(seed_of(seed, "labels"))
    offset = float(torch.rand(1, generator=rng))
    chosen = ((torch.arange(n) + offset) * len(population) / n).long().clamp(max=len(population) - 1)
    return population.sort().values[chosen][torch.randperm(n, generator=rng)]
