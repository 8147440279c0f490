"""The global context block against the paper's equation, its map against the contract of maps."""

from __future__ import annotations

import pytest
import torch
from attrs import asdict
from ganblocks_attention.global_context import ContextBlock, GlobalContext
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks import AttentionMap, Gated, Site
from ganblocks.testing import examples

seeds = st.integers(0, 2**20)
shapes = st.tuples(st.integers(1, 3), st.sampled_from([8, 16, 24]), st.integers(1, 5), st.integers(2, 5))
few = examples(25)


def build(
    channels: int, size: tuple[int, int], seed: int = 0, gamma: float = 0.7, reduction: int | None = None
) -> ContextBlock:
    component = GlobalContext(gamma=gamma, reduction=reduction)
    built = component.build(Site(channels=channels, size=size, seed=seed)).double()
    assert isinstance(built, ContextBlock)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        built.key.weight.mul_(3)  # a map that is far from even
        for parameter in built.norm.parameters():  # gains and biases count for nothing until they are learned
            parameter.copy_(torch.randn(parameter.shape, generator=rng))
    return built


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reference(built: ContextBlock, x: Tensor) -> tuple[Tensor, Tensor]:
    """Equation 5 of the paper, as it stands there: (z [B, C, H, W], α [B, N])."""
    flat = x.flatten(2)
    scores = torch.einsum("c,bcn->bn", built.key.weight[0, :, 0, 0], flat).exp()
    alpha = scores / scores.sum(1, keepdim=True)
    hidden = torch.einsum("hc,bc->bh", built.reduce.weight, torch.einsum("bn,bcn->bc", alpha, flat))
    centred = hidden - hidden.mean(1, keepdim=True)
    normal = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt() * built.norm.weight + built.norm.bias
    transformed = torch.einsum("ch,bh->bc", built.expand.weight, normal.clamp(min=0))
    return x + transformed[:, :, None, None], alpha


@few
@given(shape=shapes, seed=seeds)
def test_gamma_one_is_the_paper_s_equation(shape: tuple[int, int, int, int], seed: int) -> None:
    built, x, upstream = build(shape[1], shape[2:], seed, 1.0), draw(shape, seed).requires_grad_(), draw(shape, seed + 1)
    expected, actual = reference(built, x)[0], built(x)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    inputs = [x, *(parameter for label, parameter in built.named_parameters() if label != "gamma")]
    wanted = torch.autograd.grad((expected * upstream).sum(), inputs)
    for got, want in zip(torch.autograd.grad((actual * upstream).sum(), inputs), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-9)


@few
@given(shape=shapes, seed=seeds, gamma=st.floats(-2, 2))
def test_gamma_scales_what_is_added(shape: tuple[int, int, int, int], seed: int, gamma: float) -> None:
    built, x = build(shape[1], shape[2:], seed, gamma), draw(shape, seed)
    torch.testing.assert_close(built(x), x + built.gamma * (reference(built, x)[0] - x), rtol=1e-10, atol=1e-10)


@few
@given(shape=shapes, seed=seeds)
def test_all_rows_of_its_map_are_the_paper_s_one_map(shape: tuple[int, int, int, int], seed: int) -> None:
    built, x = build(shape[1], shape[2:], seed), draw(shape, seed)
    attention, grid = built.attention_map(x)
    positions = shape[2] * shape[3]
    assert grid == shape[2:]
    assert attention.shape == (shape[0], 1, positions, positions)
    assert attention.is_contiguous()
    assert torch.equal(attention, attention[:, :, :1].expand_as(attention))
    torch.testing.assert_close(attention.sum(-1), torch.ones_like(attention[..., 0]), rtol=0, atol=1e-12)
    torch.testing.assert_close(attention[:, 0, 0], reference(built, x)[1], rtol=1e-10, atol=1e-12)


@few
@given(shape=shapes, seed=seeds)
def test_its_map_times_x_through_its_transform_is_what_is_added(shape: tuple[int, int, int, int], seed: int) -> None:
    built, x = build(shape[1], shape[2:], seed), draw(shape, seed)
    gathered = torch.einsum("bnm,bcm->bnc", built.attention_map(x)[0][:, 0], x.flatten(2))
    added = built.gamma * built.transform(gathered).mT.reshape(x.shape)
    torch.testing.assert_close(built(x), x + added, rtol=0, atol=1e-10)


def test_its_map_depends_on_the_sample_and_every_position_gets_the_same() -> None:
    built, x = build(16, (4, 6)), draw((2, 16, 4, 6), 0)
    attention = built.attention_map(x)[0]
    assert (attention[0] - attention[1]).abs().max() > 1e-2
    added = (built(x) - x).flatten(2)
    torch.testing.assert_close(added, added[:, :, :1].expand_as(added), rtol=0, atol=1e-12)
    assert added.abs().max() > 1e-2


def test_a_constant_image_is_attended_evenly() -> None:
    built, x = build(16, (4, 6)), draw((2, 16, 1, 1), 0).expand(2, 16, 4, 6)
    attention = built.attention_map(x)[0]
    torch.testing.assert_close(attention, torch.full_like(attention, 1 / 24), rtol=0, atol=1e-12)


@few
@given(seed=seeds, factor=st.floats(1, 100))
def test_the_scale_of_the_first_layer_does_not_matter(seed: int, factor: float) -> None:
    built, x = (
        build(16, (4, 6), seed),
        1000 * draw((2, 16, 4, 6), seed),
    )  # large, so that the layer norm's eps is small beside it
    once = built(x) - x
    with torch.no_grad():
        built.reduce.weight.mul_(factor)
    torch.testing.assert_close(built(x) - x, once, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("channels", "reduction", "hidden"), [(128, None, 79), (64, None, 39), (64, 16, 4), (128, 16, 8)])
def test_its_width_is_the_paper_s_or_that_of_self_attention_s_size(channels: int, reduction: int | None, hidden: int) -> None:
    built = build(channels, (4, 4), reduction=reduction)
    assert built.reduce.out_features == built.expand.in_features == built.norm.weight.numel() == hidden
    assert sum(parameter.numel() for parameter in built.parameters()) == channels + 2 * hidden * (channels + 1) + 1


def test_layers_are_seeded_by_their_names() -> None:
    site = Site(channels=16, path="here")
    built = GlobalContext().build(site)
    assert [label for label, _ in built.named_children()] == ["key", "reduce", "norm", "expand"]
    fresh = {"key": torch.nn.Conv2d(16, 1, 1, bias=False), "reduce": torch.nn.Linear(16, 9, bias=False)}
    for label, layer in (fresh | {"expand": torch.nn.Linear(9, 16, bias=False)}).items():
        assert torch.equal(built.get_submodule(label).weight, site.layer(layer, label).weight)
        assert built.get_submodule(label).bias is None


def test_what_it_can_do_beside_is_declared_and_it_starts_as_the_identity() -> None:
    built, x = GlobalContext().build(Site(channels=16)), draw((2, 16, 4, 4), 0).float()
    assert isinstance(built, AttentionMap)
    assert isinstance(built, Gated)
    assert torch.equal(built(x), x)
    assert asdict(GlobalContext()) == {"reduction": None, "like": None, "gamma": 0.0}
