"""Metrics against closed forms, in float64."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from ganblocks_metrics.frechet import Frechet, FrechetPerClass, Moments, frechet_distance
from ganblocks_metrics.inception_score import InceptionScore
from ganblocks_metrics.kernel import Kernel
from ganblocks_metrics.manifold import DensityCoverage, PrecisionRecall
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks import DataError, Sample
from ganblocks.testing import examples

few = examples(20)
seeds = st.integers(0, 2**16)
FEATURES = (Frechet(), Kernel(), PrecisionRecall(), DensityCoverage())


def normal(seed: int, n: int = 80, d: int = 6) -> Tensor:
    """Correlated features, so that covariances are not diagonal."""
    rng = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=rng, dtype=torch.float64)
    return torch.randn(n, d, generator=rng, dtype=torch.float64) @ mix + torch.randn(d, generator=rng, dtype=torch.float64)


def distance(x: Tensor, y: Tensor) -> float:
    return frechet_distance(Moments.of(x), Moments.of(y))


def trace(x: Tensor) -> float:
    return float(torch.cov(x.mT).trace())


def rotation(seed: int, d: int = 6) -> Tensor:
    return torch.linalg.qr(normal(seed, d, d))[0]


@pytest.mark.statement(87)
@few
@given(seed=seeds)
def test_a_set_is_at_no_distance_from_itself_and_distances_are_symmetric(seed: int) -> None:
    x, y = normal(seed), normal(seed + 1)
    assert abs(distance(x, x)) <= 1e-6 * max(1, trace(x))
    assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-8)


@pytest.mark.statement(88, 89, 91)
@few
@given(seed=seeds, scale=st.floats(0.1, 10))
def test_shifts_and_scales_have_their_closed_forms(seed: int, scale: float) -> None:
    x, delta = normal(seed), normal(seed + 1)[0]
    assert distance(x, x + delta) == pytest.approx(float(delta @ delta), rel=1e-6)
    expected = (1 - scale) ** 2 * (trace(x) + float(x.mean(0) @ x.mean(0)))
    assert distance(x, scale * x) == pytest.approx(expected, rel=1e-8, abs=1e-9)
    y = normal(seed + 2)
    assert distance(scale * x, scale * y) == pytest.approx(scale**2 * distance(x, y), rel=1e-8)


@pytest.mark.statement(90)
@few
@given(seed=seeds)
def test_rotating_and_moving_both_changes_nothing(seed: int) -> None:
    x, y, q, t = normal(seed), normal(seed + 1), rotation(seed + 2), normal(seed + 3)[0]
    assert distance(x @ q + t, y @ q + t) == pytest.approx(distance(x, y), rel=1e-8)


@pytest.mark.statement(91)
@few
@given(a=st.lists(st.floats(0.1, 9), min_size=4, max_size=4), b=st.lists(st.floats(0.1, 9), min_size=4, max_size=4))
def test_diagonal_gaussians(a: list[float], b: list[float]) -> None:
    means, spreads = (1.0, 3.0), (a, b)
    one, two = (
        Moments(2, torch.full((4,), mean).double(), torch.diag(torch.tensor(spread, dtype=torch.float64)))
        for mean, spread in zip(means, spreads, strict=True)
    )
    expected = sum((math.sqrt(p) - math.sqrt(q)) ** 2 for p, q in zip(a, b, strict=True)) + 4 * 2**2
    assert frechet_distance(one, two) == pytest.approx(expected, rel=1e-9)


@pytest.mark.statement(92)
@few
@given(seed=seeds, cuts=st.lists(st.integers(1, 79), max_size=4, unique=True))
def test_streamed_moments_are_those_of_the_whole(seed: int, cuts: list[int]) -> None:
    x = 1e3 + normal(seed)
    edges = [0, *sorted(cuts), 80]
    parts = [x[i:j] for i, j in pairwise(edges)]
    streamed = Moments.streamed(parts)
    torch.testing.assert_close(streamed.mean, x.mean(0), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(streamed.covariance, torch.cov(x.mT), rtol=1e-9, atol=1e-9)
    shuffled = x[torch.randperm(80, generator=torch.Generator().manual_seed(seed))]
    y = 1e3 + normal(seed + 1)
    assert distance(shuffled, y) == pytest.approx(distance(x, y), rel=1e-8)


@pytest.mark.statement(93)
@few
@given(seed=seeds)
def test_its_root_obeys_the_triangle_inequality(seed: int) -> None:
    x, y, z = (normal(seed + i) for i in range(3))
    assert math.sqrt(distance(x, z)) <= math.sqrt(distance(x, y)) + math.sqrt(distance(y, z)) + 1e-6


@pytest.mark.statement(94)
@few
@given(seed=seeds, n=st.sampled_from([4, 80]))
def test_it_agrees_with_the_nuclear_norm_also_where_images_are_few(seed: int, n: int) -> None:
    x, y = normal(seed, n), normal(seed + 1, n)
    nuclear = torch.linalg.svdvals((x - x.mean(0)) @ (y - y.mean(0)).mT).sum() / (n - 1)
    expected = float((x.mean(0) - y.mean(0)).square().sum()) + trace(x) + trace(y) - 2 * float(nuclear)
    tolerance = 1e-9 * abs(expected) if n > 6 else 1e-5 * trace(x)
    assert abs(distance(x, y) - expected) <= max(tolerance, 1e-9)


@few
@given(seed=seeds, n=st.sampled_from([4, 5, 80]), m=st.sampled_from([4, 80]))
def test_few_images_need_no_covariance(seed: int, n: int, m: int) -> None:
    """Of features [n, 6]: their singular values where one set is smaller than 6, and moments where both are larger."""
    x, y = normal(seed, n), normal(seed + 1, m)
    expected = distance(x, y)
    assert Frechet().score(Sample(x), Sample(y), seed=0)["fd"] == pytest.approx(expected, rel=1e-9, abs=1e-5 * trace(x))


def inception(logits: Tensor, splits: int = 1) -> float:
    return InceptionScore(splits=splits).score(Sample(logits), Sample(logits, logits), seed=0)["is"]


@pytest.mark.statement(95)
@few
@given(seed=seeds, classes=st.integers(2, 6))
def test_the_inception_score_lies_between_one_and_the_classes(seed: int, classes: int) -> None:
    logits = torch.randn(60, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert 1 - 1e-9 <= inception(logits) <= classes + 1e-9
    assert inception(logits[:1].expand(60, -1)) == pytest.approx(1, abs=1e-12)
    sure = 1e3 * torch.eye(classes, dtype=torch.float64).repeat(10, 1)
    assert inception(sure) == pytest.approx(classes, rel=1e-12)
    assert inception(logits.flip(1)) == pytest.approx(inception(logits), rel=1e-9)
    assert inception(torch.cat([logits, logits])) == pytest.approx(inception(logits), rel=1e-9)
    p = logits.softmax(1)
    information = (p * (p / p.mean(0)).log()).sum(1).mean()
    assert inception(logits) == pytest.approx(float(information.exp()), rel=1e-9)


@pytest.mark.statement(96)
def test_splits_are_shuffled_so_that_order_hardly_matters() -> None:
    """torch-fidelity shuffles: samples in order of class, which unshuffled splits would each score 1, score nearly K."""
    rows = 1e3 * torch.eye(4, dtype=torch.float64).repeat_interleave(50, 0)
    assert inception(rows, splits=4) > 3.5
    assert inception(rows.flip(0)) == pytest.approx(inception(rows), rel=1e-9)


def kernel(x: Tensor, y: Tensor) -> float:
    return Kernel(subsets=1).score(Sample(x), Sample(y), seed=0)["kd"]


@pytest.mark.statement(97)
def test_the_kernel_distance_is_unbiased_symmetric_and_sees_shifts() -> None:
    rng = torch.Generator().manual_seed(0)
    draws = [kernel(*torch.randn(2, 60, 4, generator=rng, dtype=torch.float64).unbind()) for _ in range(200)]
    spread = torch.tensor(draws).std() / math.sqrt(len(draws))
    assert abs(torch.tensor(draws).mean()) <= 4 * spread
    x, y = normal(1), normal(2)
    assert kernel(x, y) == pytest.approx(kernel(y, x), rel=1e-9)
    assert kernel(x, x + 1) > kernel(x, x)
    k = ((x @ x.mT) / 6 + 1) ** 3
    assert kernel(x, x) == pytest.approx(float(2 / 79 * (k.mean() - k.diagonal().mean())), rel=1e-9)


@pytest.mark.statement(98)
@few
@given(seed=seeds)
def test_the_distance_per_class_is_the_mean_over_classes(seed: int) -> None:
    x, y, labels = normal(seed), normal(seed + 1), torch.arange(80) % 4
    found = FrechetPerClass().score(Sample(x, labels=labels), Sample(y, labels=labels), seed=0)["intra_fd"]
    assert found == pytest.approx(sum(distance(x[labels == k], y[labels == k]) for k in range(4)) / 4, rel=1e-9)
    renamed = FrechetPerClass().score(Sample(x, labels=3 - labels), Sample(y, labels=3 - labels), seed=0)["intra_fd"]
    assert renamed == pytest.approx(found, rel=1e-9)
    one = torch.zeros(80, dtype=torch.int64)
    assert FrechetPerClass().score(Sample(x, labels=one), Sample(y, labels=one), seed=0)["intra_fd"] == pytest.approx(
        distance(x, y)
    )


@pytest.mark.statement(99)
def test_its_bias_falls_as_one_over_n() -> None:
    def mean(n: int) -> float:
        rng = torch.Generator().manual_seed(n)
        draws = (torch.randn(2, n, 8, generator=rng, dtype=torch.float64).unbind() for _ in range(40))
        return sum(distance(x, y) for x, y in draws) / 40

    assert mean(100) / mean(400) == pytest.approx(4, rel=0.3)
    assert 100 * mean(100) == pytest.approx(2 * 8 + 8 * 9 / 2, rel=0.2)


@pytest.mark.statement(100)
@pytest.mark.parametrize("metric", FEATURES, ids=lambda metric: type(metric).__name__)
def test_what_is_no_sample_is_refused(metric: Frechet) -> None:
    good = Sample(normal(0))
    for bad in (normal(1) * torch.nan, normal(1)[:, :3], normal(1)[:1], normal(1)[:, :, None]):
        with pytest.raises(DataError):
            metric.score(good, Sample(bad), seed=0)
    with pytest.raises(DataError):
        FrechetPerClass().score(
            Sample(normal(0), labels=torch.arange(80) % 2), Sample(normal(1), labels=torch.zeros(80)), seed=0
        )


@few
@given(seed=seeds)
def test_neighbours_are_those_of_brute_force(seed: int) -> None:
    x, y = normal(seed, 20, 2), normal(seed + 1, 20, 2)

    def reach(points: Tensor, k: int) -> list[float]:
        return [sorted(float((p - q).norm()) for q in points)[k] for p in points]

    near = [[float((p - q).norm()) for q in y] for p in x]
    within = [[d < r for d in row] for row, r in zip(near, reach(x, 5), strict=True)]
    found = DensityCoverage().score(Sample(x), Sample(y), seed=0)
    assert found["density"] == pytest.approx(sum(map(sum, within)) / (5 * 20))
    assert found["coverage"] == pytest.approx(sum(map(any, within)) / 20)
    real, fake = reach(x, 3), reach(y, 3)
    both = PrecisionRecall().score(Sample(x), Sample(y), seed=0)
    assert both["precision"] == pytest.approx(sum(any(near[i][j] <= real[i] for i in range(20)) for j in range(20)) / 20)
    assert both["recall"] == pytest.approx(sum(any(near[i][j] <= fake[j] for j in range(20)) for i in range(20)) / 20)
    alike = DensityCoverage().score(Sample(x), Sample(x), seed=0)
    assert alike["coverage"] == 1
