"""The numbers of attention maps, against closed forms and against numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from ganblocks.training.map_numbers import (
    MapEstimate,
    MapNumbers,
    agreement,
    distance,
    distances,
    evenness,
    likeness_in_colour,
    measure,
    query_dependence,
)


def random_map(seed: int, batch: int, heads: int, queries: int, keys: int, sharpness: float = 3.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(batch, heads, queries, keys, generator=rng)).softmax(-1)


def numbers_of(attention: Tensor, grid: tuple[int, int], image: Tensor) -> MapNumbers:
    return MapNumbers.of_values(measure(attention, grid, grid, image), grid, grid)


SIZES = st.tuples(st.integers(0, 99), st.integers(1, 3), st.integers(1, 3), st.integers(2, 12), st.integers(2, 12))


@given(SIZES)
def test_identical_rows_do_not_depend_on_the_query(sizes: tuple[int, int, int, int, int]) -> None:
    seed, batch, heads, queries, keys = sizes
    same = random_map(seed, batch, heads, 1, keys).expand(-1, -1, queries, -1)
    assert query_dependence(same) == pytest.approx(torch.zeros(batch), abs=1e-6)


@given(st.integers(0, 99), st.integers(2, 20))
def test_a_permutation_depends_on_the_query_alone(seed: int, positions: int) -> None:
    order = torch.randperm(positions, generator=torch.Generator().manual_seed(seed))
    assert query_dependence(torch.eye(positions)[order][None, None]).item() == pytest.approx(1.0, abs=1e-6)
    assert evenness(torch.eye(positions)[order][None, None]).item() == pytest.approx(0.0, abs=1e-6)


@given(SIZES)
def test_query_dependence_is_mutual_information_over_its_maximum(sizes: tuple[int, int, int, int, int]) -> None:
    """Of the joint distribution of a uniform query and its key, as the definition of mutual information has it."""
    attention = random_map(*sizes)
    expected = []
    for sample in attention.double().numpy():
        shares = []
        for rows in sample:
            joint = rows / len(rows)
            product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
            shares.append((joint * np.log(joint / product)).sum() / math.log(min(rows.shape)))
        expected.append(np.mean(shares))
    assert query_dependence(attention).tolist() == pytest.approx(expected, abs=1e-5)
    assert all(0 <= value <= 1 + 1e-6 for value in query_dependence(attention).tolist())


def test_few_queries_can_depend_wholly_too() -> None:
    """Two queries that attend to different halves of four keys: one bit, which is all that two queries can have."""
    rows = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]])
    assert query_dependence(rows[None, None]).item() == pytest.approx(1.0)


@given(SIZES)
def test_evenness_is_entropy_over_its_maximum(sizes: tuple[int, int, int, int, int]) -> None:
    attention = random_map(*sizes)
    expected = stats.entropy(attention.double().numpy(), axis=-1).mean((1, 2)) / math.log(attention.shape[-1])
    assert evenness(attention).tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_evenness_counts_keys_of_weight_zero_unless_a_query_cannot_see_them() -> None:
    """Softmax underflows to 0: half and half on two of 64 keys is far from even, but even for a window of two."""
    rows = torch.zeros(1, 1, 16, 64)
    rows[..., :2] = 0.5
    assert evenness(rows).item() == pytest.approx(math.log(2) / math.log(64))
    assert evenness(rows, keys_seen=2).item() == pytest.approx(1.0)


def test_distances_are_those_of_centres() -> None:
    """4×8 queries over a picture twice as wide as high, and 2×4 keys of 2×2 cells each."""
    far = distances((4, 8), (2, 4))
    assert far.shape == (32, 8)
    assert far[0, 0].item() == pytest.approx(math.hypot(1 / 16, 1 / 16))  # from (0.5, 0.5) to (1, 1), in eighths
    assert far[31, 0].item() == pytest.approx(math.hypot(7.5 - 1, 3.5 - 1) / 8)
    assert far[8 * 3 + 0, 7].item() == pytest.approx(math.hypot(0.5 - 7, 3.5 - 3) / 8)


def test_the_distance_of_a_map_is_that_of_its_keys() -> None:
    one = torch.zeros(1, 1, 16, 16)
    one[..., 15] = 1.0  # every query attends to the last place
    expected = np.mean([math.hypot(3 - row, 3 - column) / 4 for row in range(4) for column in range(4)])
    assert distance(one, (4, 4), (4, 4)).item() == pytest.approx(expected)
    assert distance(torch.eye(16)[None, None], (4, 4), (4, 4)).item() == pytest.approx(0.0, abs=1e-6)
    numbers = numbers_of(torch.full((2, 1, 16, 16), 1 / 16), (4, 4), torch.rand(2, 3, 8, 8))
    assert numbers.distance.mean == pytest.approx(numbers.uniform_distance)


def test_attention_to_equal_colours_agrees_with_colour_and_not_with_nearness() -> None:
    """Vertical stripes, and a map that attends to the query's own stripe colour: 1 for colour."""
    image = torch.tensor([-1.0, 1.0]).repeat(4).expand(1, 3, 8, 8)
    like = likeness_in_colour(image, (8, 8), (8, 8))
    assert like.unique().tolist() == pytest.approx([-2 * 3**0.5, 0.0])
    same_colour = (like == 0).float()
    attention = (same_colour / same_colour.sum(-1, keepdim=True))[:, None]
    assert agreement(attention, like).item() == pytest.approx(1.0)
    assert abs(agreement(attention, -distances((8, 8), (8, 8))).item()) < 0.2
    near = (-9 * distances((8, 8), (8, 8))).softmax(-1)[None, None]
    assert agreement(near, -distances((8, 8), (8, 8))).item() > 0.6
    assert abs(agreement(near, like).item()) < 0.35


@given(st.integers(0, 99))
def test_agreement_is_the_mean_of_the_rows_correlations(seed: int) -> None:
    attention = random_map(seed, 2, 3, 5, 7)
    likeness = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(seed + 1))
    expected = [
        np.mean([np.corrcoef(row, like)[0, 1] for rows in sample for row, like in zip(rows, likes, strict=True)])
        for sample, likes in zip(attention.double().numpy(), likeness.double().numpy(), strict=True)
    ]
    assert agreement(attention, likeness).tolist() == pytest.approx(expected, abs=1e-4)


def test_rows_without_variation_do_not_count() -> None:
    attention = random_map(0, 1, 1, 4, 6)
    attention[0, 0, 0] = 1 / 6
    likeness = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(1))
    likeness[0, 1] = 0.5
    rows = [np.corrcoef(attention[0, 0, i].numpy(), likeness[0, i].numpy())[0, 1] for i in (2, 3)]
    assert agreement(attention, likeness).item() == pytest.approx(np.mean(rows), abs=1e-4)
    assert agreement(torch.full((1, 1, 4, 6), 1 / 6), likeness).isnan().all()
    numbers = numbers_of(random_map(0, 2, 1, 4, 4), (2, 2), torch.zeros(2, 3, 4, 4))
    assert numbers.colour_correlation is None  # a picture of one colour
    assert numbers.nearness_correlation is not None


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20))
def test_an_estimate_has_the_margin_of_students_t(values: list[float]) -> None:
    estimate = MapEstimate.of(torch.tensor([*values, math.nan], dtype=torch.float64))
    assert estimate is not None
    assert (estimate.mean, estimate.n) == (pytest.approx(np.mean(values), abs=1e-9), len(values))
    low, high = (
        stats.ttest_1samp(values, 0.0).confidence_interval() if np.ptp(values) > 1e-6 else (estimate.mean, estimate.mean)
    )
    assert estimate.margin == pytest.approx((high - low) / 2, abs=1e-6)


def test_an_estimate_of_one_sample_has_no_margin() -> None:
    assert MapEstimate.of(torch.tensor([0.5])) == MapEstimate(0.5, None, 1)
    assert MapEstimate.of(torch.tensor([math.nan])) is None
