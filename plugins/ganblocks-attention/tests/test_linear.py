"""Linear attention against the N×N form that it avoids."""

from __future__ import annotations

import pytest
import torch
from ganblocks_attention.linear import LinearAttention, LinearBlock, elu_plus_one
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from ganblocks import Site
from ganblocks.testing import examples

seeds = st.integers(0, 2**20)


def build(feature_map: str, seed: int = 0, size: tuple[int, int] = (3, 4)) -> LinearBlock:
    component = LinearAttention(reduction=4, feature_map=feature_map, gamma=0.7)  # type: ignore[arg-type]  # drawn as text
    built = component.build(Site(channels=16, size=size, seed=seed)).double()
    assert isinstance(built, LinearBlock)
    return built


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair_by_pair(feature_map: str, query: Tensor, key: Tensor) -> Tensor:
    """[B, N, N] from the papers' formulas: [B, D, N] twice -> what query i makes of key j."""
    if feature_map == "softmax":
        return torch.einsum("bdi,bdj->bij", query.exp() / query.exp().sum(1, True), key.exp() / key.exp().sum(2, True))
    similarity = torch.einsum("bdi,bdj->bij", functional.elu(query) + 1, functional.elu(key) + 1)
    return similarity / similarity.sum(-1, keepdim=True)


@pytest.mark.parametrize("feature_map", ["softmax", "elu"])
@examples(25)
@given(seed=seeds)
def test_it_is_the_explicit_form_with_gradients(feature_map: str, seed: int) -> None:
    built, x, upstream = build(feature_map, seed), draw((2, 16, 3, 4), seed).requires_grad_(), draw((2, 16, 3, 4), seed + 1)
    attention = pair_by_pair(feature_map, built.query(x).flatten(2), built.key(x).flatten(2))
    gathered = torch.einsum("bij,bdj->bdi", attention, built.value(x).flatten(2)).view(2, -1, 3, 4)
    expected, actual = x + built.gamma * built.out(gathered), built(x)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-11)
    torch.testing.assert_close(built.attention_map(x)[0][:, 0], attention, rtol=0, atol=1e-12)
    inputs = [x, *built.parameters()]
    wanted = torch.autograd.grad((expected * upstream).sum(), inputs)
    for got, want in zip(torch.autograd.grad((actual * upstream).sum(), inputs), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("feature_map", ["softmax", "elu"])
@examples(10)
@given(seed=seeds)
def test_the_map_that_it_implies_has_rank_d_at_most(feature_map: str, seed: int) -> None:
    attention = build(feature_map, seed).attention_map(draw((1, 16, 3, 4), seed))[0][0, 0]
    assert torch.linalg.matrix_rank(attention, rtol=1e-10) <= 4


@examples(50)
@given(x=st.floats(-80, 80))
def test_elu_plus_one_keeps_its_relative_precision(x: float) -> None:
    wanted = functional.elu(torch.tensor(x, dtype=torch.float64)) + 1 if x > -15 else torch.tensor(x, dtype=torch.float64).exp()
    torch.testing.assert_close(elu_plus_one(torch.tensor(x)).double(), wanted, rtol=1e-5, atol=0)


@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("feature_map", ["softmax", "elu"])
def test_large_scores_stay_finite_in_float32_and_rows_sum_to_one(feature_map: str, scale: float) -> None:
    attention, _ = build(feature_map).float().attention_map(scale * draw((2, 16, 3, 4), 0).float())
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 1, 12), rtol=0, atol=1e-5)
