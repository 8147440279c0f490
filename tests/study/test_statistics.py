"""The statistics of a study against closed forms, and on synthetic cells whose differences are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ganblocks.study.statistics import difference, estimate, holm, seeds_needed

STUDIES = 4_000
finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=2, max_size=12))
def test_the_interval_is_student_s(values: list[float]) -> None:
    found = estimate(values)
    assert found is not None
    assert found.half is not None
    error = stats.sem(values)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-12, abs=1e-9)
    assert found.half == pytest.approx(stats.t.ppf(0.975, len(values) - 1) * error, rel=1e-9, abs=1e-9)
    assert (found.low, found.high) == (found.mean - found.half, found.mean + found.half)


@given(st.lists(st.tuples(finite, finite), min_size=3, max_size=10))
def test_a_paired_difference_is_scipy_s_and_turns_its_sign(pairs: list[tuple[float, float]]) -> None:
    mine, theirs = ([pair[i] for pair in pairs] for i in (0, 1))
    found, other = difference(mine, theirs), difference(theirs, mine)
    assert found is not None
    assert other is not None
    assert found.estimate.mean == -other.estimate.mean
    assert found.p == other.p
    gaps = np.subtract(mine, theirs)
    if np.std(gaps) > 1e-6 * (1 + np.abs(gaps).max()):
        assert found.p == pytest.approx(stats.ttest_rel(mine, theirs).pvalue, rel=1e-6, abs=1e-12)


def test_what_a_single_value_and_no_value_allow() -> None:
    one = estimate([2.0])
    assert one is not None
    assert (one.mean, one.half, one.low) == (2.0, None, None)
    assert estimate([]) is None
    assert difference([], []) is None
    pair = difference([3.0], [1.0])
    assert pair is not None
    assert (pair.estimate.mean, pair.p, pair.seeds_needed()) == (2.0, None, None)


def test_equal_gaps_are_certain_and_no_gap_is_none() -> None:
    same, gap = difference([1.0, 2.0], [1.0, 2.0]), difference([1.5, 2.5], [1.0, 2.0])
    assert same is not None
    assert gap is not None
    assert (same.p, same.seeds_needed()) == (1.0, None)
    assert (gap.p, gap.seeds_needed()) == (0.0, 2)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("true", [0.0, 0.7])
def test_intervals_cover_the_true_difference_at_their_stated_rate(n: int, true: float) -> None:
    """Seeds share luck (which pairing takes away), and the variant adds ``true`` and luck of its own."""
    rng = np.random.default_rng(n)
    covered = 0
    for _ in range(STUDIES):
        luck = rng.normal(0, 3, n)
        mine, theirs = luck + true + rng.normal(0, 0.5, n), luck + rng.normal(0, 0.5, n)
        found = difference(mine.tolist(), theirs.tolist())
        assert found is not None
        assert found.estimate.low is not None
        assert found.estimate.high is not None
        covered += found.estimate.low <= true <= found.estimate.high
    assert abs(covered / STUDIES - 0.95) < 4 * math.sqrt(0.95 * 0.05 / STUDIES)


def test_pairing_takes_the_luck_of_seeds_away() -> None:
    luck = np.random.default_rng(0).normal(0, 100, 8)
    found = difference((luck + 1 + np.linspace(-0.1, 0.1, 8)).tolist(), luck.tolist())
    assert found is not None
    assert found.estimate.half is not None
    assert found.estimate.half < 0.1
    assert found.p is not None
    assert found.p < 1e-6


@pytest.mark.parametrize("comparisons", [1, 4])
@pytest.mark.parametrize("effect", [0.5, 1.0, 2.0])
def test_so_many_seeds_show_the_difference_four_times_in_five(effect: float, comparisons: int) -> None:
    n = seeds_needed(effect, 1.0, comparisons)
    assert n is not None
    rng = np.random.default_rng(0)
    gaps = rng.normal(effect, 1.0, (STUDIES, n))
    shown = (stats.ttest_1samp(gaps, 0, axis=1).pvalue < 0.05 / comparisons).mean()
    fewer = (stats.ttest_1samp(gaps[:, : n - 1], 0, axis=1).pvalue < 0.05 / comparisons).mean() if n > 2 else 0.0
    noise = 4 * math.sqrt(0.8 * 0.2 / STUDIES)
    assert shown > 0.8 - noise
    assert fewer < 0.8 + noise


def test_too_small_a_difference_needs_more_seeds_than_anyone_has() -> None:
    assert seeds_needed(0.01, 1.0) is None
    assert seeds_needed(-1.0, 0.5) == seeds_needed(1.0, 0.5)
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(1.0, None) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_its_definition(p_values: list[float]) -> None:
    found = holm(p_values)
    order = sorted(p_values)
    for value, adjusted in zip(p_values, found, strict=True):
        rank = order.index(value)
        steps = [min(1.0, (len(order) - i) * order[i]) for i in range(rank + 1)]
        assert adjusted == pytest.approx(max(steps))
        assert value <= adjusted <= 1


def test_holm_calls_a_difference_where_there_is_none_in_one_study_of_twenty_at_most() -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(STUDIES // 4):
        baseline = rng.normal(0, 1, 4)
        p_values = []
        for _ in range(4):
            found = difference(rng.normal(0, 1, 4).tolist(), baseline.tolist())
            assert found is not None
            assert found.p is not None
            p_values.append(found.p)
        wrong += min(holm(p_values)) < 0.05
    assert wrong / (STUDIES // 4) < 0.05 + 3 * math.sqrt(0.05 * 0.95 / (STUDIES // 4))


def test_a_difference_needs_as_many_seeds_as_its_study_has_comparisons() -> None:
    pair = difference([1.0, 2.5, 3.0, 2.0], [0.5, 1.0, 2.8, 1.9])
    assert pair is not None
    assert pair.spread is not None
    for comparisons in (1, 2, 8):
        assert pair.seeds_needed(comparisons) == seeds_needed(pair.estimate.mean, pair.spread, comparisons)
    assert (pair.seeds_needed(8) or 0) > (pair.seeds_needed(1) or 0) > 0
