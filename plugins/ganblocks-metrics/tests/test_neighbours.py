"""Distances to neighbours: in parts, and those of real images once for all metrics and controls."""

from __future__ import annotations

import gc

import pytest
import torch
from ganblocks_metrics import neighbours
from ganblocks_metrics.manifold import DensityCoverage, PrecisionRecall
from ganblocks_metrics.neighbours import reach_of, reach_of_real
from torch import Tensor

from ganblocks import Sample


def normal(seed: int, n: int) -> Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each call that looks for nearest neighbours."""
    rows: list[int] = []
    nearest = neighbours._nearest

    def counted(features: Tensor, k: int) -> Tensor:
        rows.append(len(features))
        return nearest(features, k)

    monkeypatch.setattr(neighbours, "_nearest", counted)
    return rows


def test_neighbours_of_real_images_are_computed_once(computed: list[int]) -> None:
    real, samples = Sample(normal(0, 60)), [Sample(normal(seed, 30 + seed)) for seed in (1, 2, 3)]
    for metric in (PrecisionRecall(), DensityCoverage()):
        for fake in samples:
            metric.score(real, fake, 0)
    assert computed == [60, 31, 32, 33]


def test_they_are_computed_again_where_features_changed_or_have_gone(computed: list[int]) -> None:
    features = normal(0, 20)
    first = reach_of_real(features, features, 2).clone()
    features.mul_(2)
    torch.testing.assert_close(reach_of_real(features, features, 2), 2 * first)
    held = len(neighbours._kept)
    del features
    gc.collect()
    assert (len(computed), len(neighbours._kept)) == (2, held - 1)


@pytest.mark.parametrize("k", [1, 8, 9, 12])
def test_kept_distances_are_those_of_any_number_of_neighbours(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features = normal(0, 50)
    exact = torch.cdist(features, features).sort(1).values[:, k]
    monkeypatch.setattr(neighbours, "ROWS", 7)
    torch.testing.assert_close(reach_of(features, k), exact)
    torch.testing.assert_close(reach_of_real(features, features, k), exact)


def test_parts_give_the_numbers_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = Sample(normal(0, 50)), Sample(normal(1, 40))
    whole = [metric.score(real, fake, 0) for metric in (PrecisionRecall(), DensityCoverage())]
    monkeypatch.setattr(neighbours, "ROWS", 7)
    assert [metric.score(real, fake, 0) for metric in (PrecisionRecall(), DensityCoverage())] == whole


def test_features_of_inference_mode_are_scored_too() -> None:
    with torch.inference_mode():
        real, fake = Sample(normal(0, 50)), Sample(normal(1, 40))
    plain = Sample(real.features.clone()), Sample(fake.features.clone())
    for metric in (PrecisionRecall(), DensityCoverage()):
        assert metric.score(real, fake, 0) == metric.score(*plain, 0)
