"""The kernel distance in exact arithmetic, and spreads only where there are several numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from ganblocks_metrics import kernel
from ganblocks_metrics.inception_score import InceptionScore
from ganblocks_metrics.kernel import Kernel
from ganblocks_metrics.manifold import DensityCoverage, PrecisionRecall
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric

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


@pytest.mark.parametrize("sizes", [(40, 40), (25, 40), (40, 20), (200, 150)])
@pytest.mark.parametrize("rows", [7, 1024])
def test_subsets_are_those_of_torch_fidelity(sizes: tuple[int, int], rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the kernel of all pairs at once, in parts of it, and, for the largest sizes, for each subset by itself."""
    monkeypatch.setattr(kernel, "ROWS", rows)
    one, two = (normal(i, n, 6, i).double() for i, n in enumerate(sizes))
    found = Kernel(subset=20, subsets=9).score(Sample(one), Sample(two), 7)
    theirs = kid_features_to_metric(two, one, kid_subsets=9, kid_subset_size=20, rng_seed=7, verbose=False)
    assert found["kd"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-11)
    expected = theirs["kernel_inception_distance_std"]
    assert found.get("kd_std", 0.0) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_pairs_are_not_computed_again_for_each_subset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel of all pairs is computed once, unless the pairs within all subsets are fewer."""
    pairs: list[int] = []
    sums = kernel._pair_sums

    def counted(one: Tensor, two: Tensor, *members: Tensor) -> Tensor:
        pairs.append(len(one) * len(two))
        return sums(one, two, *members)

    monkeypatch.setattr(kernel, "_pair_sums", counted)
    Kernel(subset=50).score(Sample(normal(0, 100, 4, 0)), Sample(normal(1, 50, 4, 0)), 0)
    assert sum(pairs) == 100**2 + 50**2 + 100 * 50
    pairs.clear()
    Kernel(subset=10, subsets=2).score(Sample(normal(0, 100, 4, 0)), Sample(normal(1, 50, 4, 0)), 0)
    assert sum(pairs) == 2 * 3 * 10**2


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
