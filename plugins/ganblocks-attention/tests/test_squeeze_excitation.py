"""The squeeze-and-excitation block against the paper's equations 2 to 4."""

from __future__ import annotations

import pytest
import torch
from attrs import asdict
from ganblocks_attention.squeeze_excitation import ExcitationBlock, SqueezeExcitation
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks import AttentionMap, Gated, Site
from ganblocks.testing import examples

seeds = st.integers(0, 2**20)
shapes = st.tuples(st.integers(1, 3), st.sampled_from([8, 16, 24]), st.integers(1, 5), st.integers(1, 5))
few = examples(25)


def build(channels: int, seed: int = 0, gamma: float = 0.7, reduction: int | None = None) -> ExcitationBlock:
    component = SqueezeExcitation(gamma=gamma, reduction=reduction)
    built = component.build(Site(channels=channels, size=4, seed=seed)).double()
    assert isinstance(built, ExcitationBlock)
    with torch.no_grad():
        built.expand.weight.mul_(10)  # gates that are far from a half
    return built


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reference(built: ExcitationBlock, x: Tensor) -> Tensor:
    """s ⊙ x, from the paper's equations as they stand there."""
    z = torch.einsum("bchw->bc", x) / (x.shape[2] * x.shape[3])
    hidden = torch.einsum("hc,bc->bh", built.reduce.weight, z).clamp(min=0)
    s = 1 / (1 + (-torch.einsum("ch,bh->bc", built.expand.weight, hidden)).exp())
    return torch.einsum("bc,bchw->bchw", s, x)


@few
@given(shape=shapes, seed=seeds)
def test_gamma_one_is_the_paper_s_block(shape: tuple[int, int, int, int], seed: int) -> None:
    built, x, upstream = build(shape[1], seed, 1.0), draw(shape, seed).requires_grad_(), draw(shape, seed + 1)
    expected, actual = reference(built, x), built(x)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)
    inputs = [x, built.reduce.weight, built.expand.weight]
    wanted = torch.autograd.grad((expected * upstream).sum(), inputs)
    for got, want in zip(torch.autograd.grad((actual * upstream).sum(), inputs), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-10)


@few
@given(shape=shapes, seed=seeds, gamma=st.floats(-2, 2))
def test_gamma_scales_the_difference_to_x(shape: tuple[int, int, int, int], seed: int, gamma: float) -> None:
    built, x = build(shape[1], seed, gamma), draw(shape, seed)
    torch.testing.assert_close(built(x), x + built.gamma * (reference(built, x) - x), rtol=1e-10, atol=1e-12)


@few
@given(seed=seeds)
def test_every_position_of_a_channel_is_scaled_alike(seed: int) -> None:
    built, x = build(16, seed, 1.0), draw((2, 16, 3, 5), seed)
    scale = (built(x) / x).flatten(2)
    torch.testing.assert_close(scale, scale[:, :, :1].expand_as(scale), rtol=1e-10, atol=1e-12)
    assert (scale > 0).all()
    assert (scale < 1).all()
    assert (scale[0] - scale[1]).abs().max() > 1e-3


def test_a_gate_that_is_nearly_open_keeps_its_gradient() -> None:
    """In float32, 1 - sigmoid(20) is 0 where it is computed as that difference."""
    built = build(8, gamma=1.0).float()
    with torch.no_grad():
        built.reduce.weight.fill_(1.0)
        built.expand.weight.fill_(20 / (8 * built.reduce.out_features))
    built(torch.ones(1, 8, 2, 2)).sum().backward()
    assert built.gamma.grad.item() == pytest.approx(-8 * 4 / (1 + 2.718281828459045**20), rel=1e-4)


@pytest.mark.parametrize(("channels", "reduction", "hidden"), [(128, None, 80), (64, None, 40), (64, 16, 4), (128, 16, 8)])
def test_its_width_is_the_paper_s_or_that_of_self_attention_s_size(channels: int, reduction: int | None, hidden: int) -> None:
    built = build(channels, reduction=reduction)
    assert built.reduce.out_features == built.expand.in_features == hidden
    assert sum(parameter.numel() for parameter in built.parameters()) == 2 * channels * hidden + 1


def test_layers_are_seeded_by_their_names() -> None:
    site = Site(channels=16, path="here")
    built = SqueezeExcitation().build(site)
    assert [label for label, _ in built.named_children()] == ["reduce", "expand"]
    for label, layer in (("reduce", torch.nn.Linear(16, 10, bias=False)), ("expand", torch.nn.Linear(10, 16, bias=False))):
        assert torch.equal(built.get_submodule(label).weight, site.layer(layer, label).weight)
        assert built.get_submodule(label).bias is None


def test_what_it_can_do_beside_is_declared_and_it_starts_as_the_identity() -> None:
    built, x = SqueezeExcitation().build(Site(channels=16)), draw((2, 16, 4, 4), 0).float()
    assert not isinstance(built, AttentionMap)
    assert isinstance(built, Gated)
    assert torch.equal(built(x), x)
    assert asdict(SqueezeExcitation()) == {"reduction": None, "like": None, "gamma": 0.0}
