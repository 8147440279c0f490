"""Latents and classes: functions of seed and index alone; truncation by its three conventions (spec statement 82)."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest
from torch import Tensor

from ganblocks.testing import examples
from ganblocks.training.latents import CONVENTIONS, labels, latents

CUTS = st.sampled_from([(None, "resample"), *[(0.5, convention) for convention in CONVENTIONS]])


@examples(40)
@given(n=st.integers(1, 150), size=st.integers(1, 130), start=st.integers(0, 10**12), seed=st.integers(0, 2**40), cut=CUTS)
def test_each_row_is_the_same_alone(n: int, size: int, start: int, seed: int, cut: tuple[float | None, str]) -> None:
    """No row depends on how many there are, where drawing begins, or on whether n times Z is a multiple of anything."""
    rows = latents(n, size, seed, *cut, start=start)
    assert rows.shape == (n, size)
    assert rows.dtype == torch.float32
    for place in {0, n // 2, n - 1}:
        assert torch.equal(latents(1, size, seed, *cut, start=start + place)[0], rows[place])
        assert torch.equal(labels(1, 7, seed, start + place), labels(n, 7, seed, start)[place : place + 1])


def test_rows_differ_by_seed_and_index_and_coordinate() -> None:
    rows = torch.cat([latents(300, 16, seed) for seed in range(3)]).flatten()
    assert len(rows.unique()) > len(rows) - 10, "but for what float32 rounds to the same"
    assert abs(float(latents(20_000, 2, 4).T.corrcoef()[0, 1])) < 0.03
    assert abs(float(torch.stack([latents(20_000, 1, 4)[:, 0], latents(20_000, 1, 5)[:, 0]]).corrcoef()[0, 1])) < 0.03


def test_classes_are_uniform_and_independent_of_latents() -> None:
    drawn_labels = labels(20_000, 5, 3)
    assert chisquare(drawn_labels.bincount(minlength=5).numpy()).pvalue > 0.01
    means = torch.stack([latents(20_000, 4, 3)[drawn_labels == k].mean() for k in range(5)])
    assert means.abs().max() < 0.04


def test_a_smaller_truncation_makes_the_same_samples_less_extreme() -> None:
    whole, cut = drawn(None), drawn(0.7)
    assert torch.equal(whole.sign(), cut.sign())
    assert torch.equal(whole[:, 0].argsort(), cut[:, 0].argsort())


def drawn(truncation: float | None, convention: str = "resample", seed: int = 0) -> Tensor:
    return latents(4000, 4, seed, truncation, convention)


def variance_of_the_cut_normal(bound: float) -> float:
    normal = torch.distributions.Normal(0.0, 1.0)
    density = float(torch.exp(normal.log_prob(torch.tensor(bound))))
    return 1 - 2 * bound * density / float(2 * normal.cdf(torch.tensor(bound)) - 1)


VARIANCES: dict[str, Callable[[float], float]] = {
    "resample": variance_of_the_cut_normal,
    "scaled_resample": lambda tau: tau**2 * variance_of_the_cut_normal(2.0),
    "std": lambda tau: tau**2,
}


@pytest.mark.statement(82)
@pytest.mark.parametrize("convention", CONVENTIONS)
@examples(20)
@given(truncation=st.floats(0.05, 4.0), seed=st.integers(0, 99))
def test_each_convention_has_its_interval_and_its_variance(convention: str, truncation: float, seed: int) -> None:
    z = drawn(truncation, convention, seed)
    bound = {"resample": truncation, "scaled_resample": 2 * truncation, "std": 6 * truncation}[convention]
    assert z.abs().max() <= bound * (1 + 1e-6)
    assert float(z.var()) == pytest.approx(VARIANCES[convention](truncation), rel=0.08)


@pytest.mark.statement(82)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_latents_vary_more_the_less_is_cut(convention: str) -> None:
    variances = [float(drawn(truncation, convention).var()) for truncation in (0.1, 0.3, 0.7, 1.0, 1.5, 2.0)]
    assert variances == sorted(variances)


@pytest.mark.statement(82)
def test_where_nothing_is_cut_latents_are_standard_normal() -> None:
    assert torch.equal(drawn(1.0, "std"), drawn(None))
    for z in (drawn(math.inf), drawn(40.0)):
        assert kstest(z.double().flatten().numpy(), "norm").pvalue > 0.01


def test_a_scaled_cut_is_the_cut_to_2_times_the_truncation() -> None:
    torch.testing.assert_close(drawn(0.5, "scaled_resample"), 0.5 * drawn(2.0))
