"""Latents and labels that represent their distribution with fewer samples than independent draws need."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from ganblocks.seeding import seed_of


def uniform(n: int, width: int, seed: int) -> Tensor:
    """Return a scrambled Sobol sequence [n, width], float64, strictly between 0 and 1; any block of it is spread evenly too.

    Source: Owen (1998), "Scrambling Sobol' and Niederreiter-Xing points", Journal of Complexity 14.
    """
    seed = seed_of(seed, "points") % 2**31
    known = min(width, SobolEngine.MAXDIM)
    engine = SobolEngine(known, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    points = engine.draw(n, dtype=torch.float64)
    more = torch.rand(n, width - known, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.cat([points, more], 1).clamp(2**-32, 1 - 2**-32)


def normal(n: int, width: int, seed: int) -> Tensor:
    """Return standard normal latents [n, width], float32, from :func:`uniform`."""
    latent: Tensor = torch.special.ndtri(uniform(n, width, seed))
    return latent.float()


def labels(n: int, among: Tensor, seed: int) -> Tensor:
    """Return n labels [n] in random order, every class as often as its share of the labels ``among`` [m] asks, up to one."""
    rng = torch.Generator().manual_seed(seed_of(seed, "labels"))
    offset = float(torch.rand(1, generator=rng))
    chosen = ((torch.arange(n) + offset) * len(among) / n).long().clamp(max=len(among) - 1)
    return among.sort().values[chosen][torch.randperm(n, generator=rng)]
