"""Latents and labels that stand for their distribution: what they must have in common with it, and how much better they do."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from ganblocks import quasirandom
from ganblocks.testing import examples


@examples(20)
@given(seed=st.integers(0, 2**40), width=st.integers(1, 200))
def test_means_of_latents_are_nearer_to_those_of_the_distribution_than_those_of_independent_ones(seed: int, width: int) -> None:
    latent = quasirandom.normal(1024, width, seed)
    assert latent.shape == (1024, width)
    assert latent.dtype == torch.float32
    assert latent.mean(0).abs().max() < 0.01  # of independent draws: 0.03 is one standard deviation
    assert (latent.var(0) - 1).abs().max() < 0.02
    assert torch.equal(latent, quasirandom.normal(1024, width, seed))
    assert not torch.equal(latent, quasirandom.normal(1024, width, seed + 1))


def test_each_coordinate_is_standard_normal() -> None:
    latent = quasirandom.normal(1024, 3, 0)
    assert kstest(latent[:, 1].numpy(), "norm").pvalue > 0.5
    assert torch.corrcoef(latent.T).triu(1).abs().max() < 0.02


def test_more_coordinates_than_sobol_sequences_have_are_drawn_independently() -> None:
    places = quasirandom.uniform(2, 21_205, 0)
    assert places.shape == (2, 21_205)
    assert ((places > 0) & (places < 1)).all()


@examples(30)
@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any), n=st.integers(1, 300), seed=st.integers(0, 2**40)
)
def test_every_class_has_its_share_of_the_labels_up_to_one(counts: list[int], n: int, seed: int) -> None:
    among = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    found = torch.bincount(quasirandom.stratified_labels(n, among, seed), minlength=len(counts))
    assert int(found.sum()) == n
    for count, got in zip(counts, found.tolist(), strict=True):
        assert abs(got - n * count / len(among)) < 1 + 1e-6


def test_labels_are_mixed() -> None:
    found = quasirandom.stratified_labels(1024, torch.arange(4), 0)
    assert all(len(part.unique()) == 4 for part in found.split(64))


@pytest.mark.parametrize("n", [1, 2, 1000])
def test_places_are_inside_the_unit_interval(n: int) -> None:
    places = quasirandom.uniform(n, 5, 3)
    assert ((places > 0) & (places < 1)).all()
