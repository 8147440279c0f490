"""The kernel distance in exact arithmetic, and spreads only where there are several numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from ganblocks_metrics.inception_score import InceptionScore
from ganblocks_metrics.kernel import Kernel
from ganblocks_metrics.manifold import DensityCoverage, PrecisionRecall
from torch import Tensor

from ganblocks import Sample

Rows = list[list[Fraction]]


def normal(seed: int, n: int, d: int, mean: float) -> Tensor:
    """Features in float32, as extractors give them."""
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + mean


def mean_kernel(a: Rows, b: Rows) -> Fraction:
    """Over all pairs, or over those of different rows where both are the same set."""
    pairs = [(p, q) for i, p in enumerate(a) for j, q in enumerate(b) if a is not b or i != j]
    return sum(((dot(p, q) / len(p) + 1) ** 3 for p, q in pairs), Fraction()) / len(pairs)


def dot(p: list[Fraction], q: list[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(p, q, strict=True)), Fraction())


@pytest.mark.parametrize("mean", [0, 5, 30, 300])
def test_the_kernel_distance_is_exact_where_features_are_far_from_0(mean: int) -> None:
    """Against fractions, which round nothing."""
    x, y = normal(mean, 12, 4, mean), normal(mean + 1, 12, 4, mean + 0.25)
    one, two = ([[Fraction(value) for value in row] for row in each.tolist()] for each in (x, y))
    exact = mean_kernel(one, one) + mean_kernel(two, two) - 2 * mean_kernel(one, two)
    assert Kernel().score(Sample(x), Sample(y), 0)["kd"] == pytest.approx(float(exact), rel=1e-7)


@pytest.mark.parametrize("metric", [PrecisionRecall(), DensityCoverage()], ids=lambda each: type(each).__name__)
def test_what_all_features_share_moves_no_neighbours(metric: PrecisionRecall) -> None:
    """Near duplicates far from 0, whose distances a product of features would round away."""
    x = normal(0, 60, 8, 0).double() * 1e-4
    y = normal(1, 60, 8, 0).double() * 1e-4
    moved = (Sample(x + 2.0**20), Sample(y + 2.0**20))
    exact = (Sample(moved[0].features - 2.0**20), Sample(moved[1].features - 2.0**20))
    assert metric.score(*moved, 0) == metric.score(*exact, 0)


@pytest.mark.parametrize(
    ("sizes", "subset", "several"),
    [((20, 20), 1000, False), ((20, 20), 20, False), ((20, 20), 10, True), ((20, 30), 20, True), ((30, 20), 1000, True)],
)
def test_a_spread_is_given_only_where_subsets_differ(sizes: tuple[int, int], subset: int, several: bool) -> None:
    one, two = (Sample(normal(i, n, 4, 0)) for i, n in enumerate(sizes))
    found = Kernel(subset=subset, subsets=7).score(one, two, 0)
    assert ("kd_std" in found) == several
    assert found.get("kd_std", 1) > 1e-6
    if not several:
        assert found == Kernel(subset=subset, subsets=1).score(one, two, 5)


def test_one_subset_or_one_part_has_no_spread() -> None:
    one, two = (Sample(normal(i, 20, 4, 0), normal(i, 20, 4, 0)) for i in range(2))
    assert set(Kernel(subset=10, subsets=1).score(one, two, 0)) == {"kd"}
    assert set(InceptionScore(splits=1).score(one, two, 0)) == {"is"}
    assert set(InceptionScore(splits=2).score(one, two, 0)) == {"is", "is_std"}
