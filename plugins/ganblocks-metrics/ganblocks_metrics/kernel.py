"""The kernel distance: an unbiased estimate of a squared maximum mean discrepancy."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from ganblocks import ClassicNames, Sample, option
from ganblocks_metrics.checking import check_features

ROWS = 1024
"""Images whose kernel with all others is in memory at once."""


@frozen(kw_only=True)
class Kernel(ClassicNames):
    """The squared maximum mean discrepancy of the kernel (x·y/D + 1)³: KID, over the subsets that torch-fidelity draws.

    Unbiased at any number of images; it may fall below 0. Computed in float64, because far from 0 the kernel of features is
    large and its differences are small. ``kd_std`` is the standard deviation over subsets, not an error bar; if every subset
    would hold all images (n of ``subset`` at most), the distance is computed once and has none.

    Use it as the first number, above all below ten thousand images; add ``frechet`` for comparison with papers.

    Source: Bińkowski et al. (2018), "Demystifying MMD GANs", arXiv:1801.01401, section 3.

    Options:
        subsets: number of random subsets that the estimate averages over.
        subset: images in each; all of them where there are fewer.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"kd": "lower"}
    classic_names: ClassVar[dict[str, str]] = {"kd": "kid", "kd_std": "kid_std"}

    subsets: int = option(100, low=1)
    subset: int = option(1000, low=2)

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Return ``kd`` of features [n, D], and ``kd_std`` where there are several subsets."""
        one, two = check_features(real.features, fake.features)
        size = min(self.subset, len(one), len(two))
        subsets = 1 if size == len(one) == len(two) else self.subsets  # all images, each time in another order
        chosen = _subsets(len(one), len(two), size, subsets, seed)
        pairs = len(one) ** 2 + len(two) ** 2 + len(one) * len(two)
        if pairs <= 3 * size**2 * subsets:  # then it is cheaper to compute the kernel of each pair once
            distances = _distances(one, two, *map(_members, chosen, (len(one), len(two))))
        else:
            whole = torch.ones(1, size, dtype=torch.float64)
            distances = torch.cat([_distances(one[i], two[j], whole, whole) for i, j in zip(*chosen, strict=True)])
        spread = {"kd_std": float(distances.std(correction=0))} if subsets > 1 else {}
        return {"kd": float(distances.mean())} | spread


def _subsets(real: int, fake: int, size: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return the indices [count, size] of random subsets of both sets: those that torch-fidelity draws."""
    rng = np.random.RandomState(seed % 2**32)
    drawn = [(rng.choice(fake, size, replace=False), rng.choice(real, size, replace=False)) for _ in range(count)]
    fakes, reals = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
    return reals, fakes


def _members(chosen: Tensor, n: int) -> Tensor:
    """Return 1 where image j of n is in subset s of the indices ``chosen`` [S, size], else 0: float64 [S, n]."""
    return torch.zeros(len(chosen), n, dtype=torch.float64).scatter_(1, chosen, 1.0)


def _distances(one: Tensor, two: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return the unbiased squared discrepancy [S] of subsets of features [n, D] and [m, D] with members [S, n] and [S, m]."""
    size = float(first[0].sum())
    within = _pair_sums(one, one, first, first) - first @ _diagonal(one)
    within += _pair_sums(two, two, second, second) - second @ _diagonal(two)
    return within / (size * (size - 1)) - 2 * _pair_sums(one, two, first, second) / size**2


def _pair_sums(one: Tensor, two: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return the sums [S] of the kernel over the pairs of each subset; the kernel of all pairs is never in memory at once."""
    sums = torch.zeros(len(first), dtype=torch.float64)
    for part, members in zip(torch.split(one, ROWS), torch.split(first, ROWS, dim=1), strict=True):
        kernel = (part @ two.mT).div_(one.shape[1]).add_(1).pow_(3)
        sums += ((members @ kernel) * second).sum(1)
    return sums


def _diagonal(features: Tensor) -> Tensor:
    return (features.square().sum(1) / features.shape[1] + 1) ** 3
