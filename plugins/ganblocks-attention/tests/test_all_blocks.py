"""What every block of this plugin keeps, and what each refuses. At γ = 0 nothing would be tested but the identity."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from attrs import asdict
from ganblocks_attention.block import AttentionBlock
from ganblocks_attention.global_context import GlobalContext
from ganblocks_attention.linear import LinearAttention
from ganblocks_attention.multi_head import MultiHead
from ganblocks_attention.non_local import NonLocal
from ganblocks_attention.squeeze_excitation import SqueezeExcitation
from ganblocks_attention.windowed import Windowed
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import AttentionMap, Gated, PlacementError, Site
from ganblocks.testing import examples

BLOCKS: dict[str, tuple[type, dict[str, Any]]] = {
    "multi-head": (MultiHead, {}),
    "multi-head, one": (MultiHead, {"heads": 1}),
    "multi-head, narrow and pooled": (MultiHead, {"heads": 2, "head_width": 3, "pool": 2}),
    "multi-head, placed": (MultiHead, {"positions": "sinusoidal"}),
    "multi-head, fused": (MultiHead, {"path": "fused"}),
    "non-local": (NonLocal, {}),
    "non-local, not pooled": (NonLocal, {"pool": 1}),
    "non-local, fused": (NonLocal, {"path": "fused"}),
    "linear, softmax": (LinearAttention, {"reduction": 4}),
    "linear, elu": (LinearAttention, {"reduction": 4, "feature_map": "elu"}),
    "windowed": (Windowed, {"window": 2}),
    "windowed, plain": (Windowed, {"window": 2, "heads": 1, "positions": "none"}),
    "global context": (GlobalContext, {}),
    "global context, the paper's form": (GlobalContext, {"reduction": 4}),
    "squeeze excitation": (SqueezeExcitation, {}),
    "squeeze excitation, the paper's form": (SqueezeExcitation, {"reduction": 4}),
}
OF_ONE_VECTOR = [name for name, (cls, _) in BLOCKS.items() if cls in (GlobalContext, SqueezeExcitation)]
"""Blocks that add or scale the same everywhere: they have no queries, and other layers than the rest."""
WITHOUT_PLACES = (
    "multi-head",
    "multi-head, one",
    "multi-head, fused",
    "non-local, not pooled",
    "linear, softmax",
    "linear, elu",
    *OF_ONE_VECTOR,
)
"""Blocks to which all positions are alike."""
seeds = st.integers(0, 2**20)
few = examples(10)
every_block = pytest.mark.parametrize("name", BLOCKS)
with_queries = pytest.mark.parametrize("name", [name for name in BLOCKS if name not in OF_ONE_VECTOR])


def block(name: str, gamma: float = 0.7, seed: int = 0, size: tuple[int, int] = (4, 6), **facts: Any) -> nn.Module:
    cls, options = BLOCKS[name]
    built = cls(gamma=gamma, **options).build(Site(channels=16, size=size, seed=seed, **facts)).double()
    assert isinstance(built, AttentionBlock) == (name not in OF_ONE_VECTOR)
    for label, parameter in built.named_parameters():
        if label == "bias":  # offsets count for nothing until they are learned
            nn.init.normal_(parameter, generator=torch.Generator().manual_seed(seed))
    return built


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@every_block
@few
@given(seed=seeds)
def test_gamma_zero_is_the_identity_bit_for_bit(name: str, seed: int) -> None:
    built, x, upstream = block(name, 0.0, seed), draw((2, 16, 4, 6), seed).requires_grad_(), draw((2, 16, 4, 6), seed + 1)
    y = built(x)
    assert torch.equal(y, x)
    (y * upstream).sum().backward()
    assert torch.equal(x.grad, upstream)
    assert not any(p.grad.any() for label, p in built.named_parameters() if label != "gamma")
    assert built.gamma.grad.abs() > 0


@with_queries
@few
@given(seed=seeds)
def test_what_is_gathered_is_the_map_times_the_values(name: str, seed: int) -> None:
    built, x = block(name, seed=seed), draw((2, 16, 4, 6), seed)
    attention, (height, width) = built.attention_map(x)
    assert (attention >= 0).all()
    torch.testing.assert_close(attention.sum(-1), torch.ones_like(attention[..., 0]), rtol=0, atol=1e-12)
    placed = x if getattr(built, "positions", None) is None else x + built.positions
    value = torch.nn.functional.adaptive_max_pool2d(built.value(placed), (height, width))  # the whole cell, or one position
    value = value.reshape(2, attention.shape[1], -1, height * width)
    gathered = torch.einsum("bhnm,bhdm->bhdn", attention, value).reshape(2, -1, 4, 6)
    torch.testing.assert_close(built(x), x + built.gamma * built.out(gathered), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", WITHOUT_PLACES)
@few
@given(seed=seeds, order=st.permutations(range(24)))
def test_where_all_positions_are_alike_they_may_be_permuted(name: str, seed: int, order: list[int]) -> None:
    built, x = block(name, seed=seed), draw((2, 16, 4, 6), seed)

    def permuted(t: Tensor) -> Tensor:
        return t.flatten(2)[:, :, order].view(t.shape)

    torch.testing.assert_close(built(permuted(x)), permuted(built(x)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", sorted(set(BLOCKS) - set(WITHOUT_PLACES)))
def test_elsewhere_they_may_not(name: str) -> None:
    built, x, order = block(name), draw((2, 16, 4, 6), 0), torch.randperm(24, generator=torch.Generator().manual_seed(0))
    permuted = built(x.flatten(2)[:, :, order].view(x.shape))
    assert (permuted - built(x).flatten(2)[:, :, order].view(x.shape)).abs().max() > 1e-3


@every_block
def test_samples_do_not_see_each_other(name: str) -> None:
    built, x = block(name), draw((3, 16, 4, 6), 0)
    torch.testing.assert_close(built(x), torch.cat([built(part) for part in x.split(1)]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in BLOCKS if "fused" not in name])
def test_it_can_be_differentiated_twice(name: str) -> None:
    built = block(name, size=(2, 4), twice_differentiable=True)
    assert torch.autograd.gradgradcheck(built, (draw((1, 16, 2, 4), 0).requires_grad_(),), eps=1e-6, atol=1e-4)


@every_block
def test_both_memory_formats_give_the_same_and_channels_last_stays(name: str) -> None:
    built, x = block(name), draw((2, 16, 4, 6), 0)
    y = built(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, built(x), rtol=1e-10, atol=1e-10)
    assert y.is_contiguous(memory_format=torch.channels_last)


@every_block
def test_under_autocast_the_map_stays_in_float32(name: str) -> None:
    built, x = block(name).float(), draw((2, 16, 4, 6), 0).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        attention, y = built.attention_map(x)[0] if isinstance(built, AttentionMap) else None, built(x)
    assert attention is None or attention.dtype == torch.float32
    torch.testing.assert_close(y, built(x), rtol=0.1, atol=0.1)


@with_queries
def test_layers_are_seeded_by_their_names_and_have_no_biases(name: str) -> None:
    cls, options = BLOCKS[name]
    site = Site(channels=16, path="here")
    built = cls(**options).build(site)
    assert [label for label, _ in built.named_children()] == ["query", "key", "value", "out"]
    for label, layer in built.named_children():
        assert torch.equal(layer.weight, site.layer(copy.deepcopy(layer), label).weight)
        assert layer.bias is None


@every_block
def test_what_it_can_do_beside_is_declared_and_only_parameters_are_saved(name: str) -> None:
    built = block(name)
    assert isinstance(built, AttentionMap) == (BLOCKS[name][0] is not SqueezeExcitation)
    assert isinstance(built, Gated)
    assert set(built.state_dict()) == {label for label, _ in built.named_parameters()}


def test_defaults_are_those_of_the_page() -> None:
    assert asdict(MultiHead()) == {
        "heads": 4,
        "head_width": None,
        "pool": 1,
        "positions": "none",
        "gamma": 0.0,
        "path": "auto",
    }
    assert asdict(NonLocal()) == {"reduction": 2, "pool": 2, "gamma": 0.0, "path": "auto"}
    assert asdict(LinearAttention()) == {"reduction": 8, "value_ratio": 2, "feature_map": "softmax", "gamma": 0.0}
    assert asdict(Windowed()) == {"window": 4, "heads": 4, "head_width": None, "positions": "relative", "gamma": 0.0}


@pytest.mark.parametrize(
    ("component", "channels", "size", "words"),
    [
        (MultiHead(heads=4), 6, 4, "use heads = 3"),
        (MultiHead(pool=2), 8, (4, 5), "use pool = 1"),
        (MultiHead(pool=4), 8, 4, "one key"),
        (MultiHead(heads=1, positions="sinusoidal"), 6, 4, 'positions = "none"'),
        (NonLocal(), 7, 4, "use reduction = 1"),
        (NonLocal(pool=1), 8, 1, "one key"),
        (NonLocal(), 8, (2, 3), "use pool = 1"),
        (LinearAttention(), 4, 4, "use reduction = 4"),
        (LinearAttention(), 8, 4, "use reduction = 4"),
        (LinearAttention(reduction=1, value_ratio=1), 1, 4, "a wider network"),
        (LinearAttention(reduction=2, value_ratio=3), 8, 4, "use value_ratio = 2"),
        (LinearAttention(reduction=2), 8, 1, "one key"),
        (Windowed(window=4), 8, (4, 6), "use window = 2"),
        (Windowed(window=3), 8, 5, "use window = 5"),
        (Windowed(heads=3), 8, 4, "use heads = 2"),
    ],
)
def test_a_place_that_does_not_fit_is_refused_with_the_fix(
    component: Any, channels: int, size: int | tuple[int, int], words: str
) -> None:
    with pytest.raises(PlacementError, match=words) as caught:
        component.build(Site(channels=channels, size=size, path="generator.block2.attention"))
    assert "generator.block2.attention" in str(caught.value)


@pytest.mark.parametrize("component", [MultiHead, NonLocal])
def test_auto_fuses_large_maps_only_and_never_where_a_penalty_differentiates_twice(component: Any) -> None:
    with torch.device("meta"):
        assert not component().build(Site(channels=8, size=32)).fused
        assert component().build(Site(channels=8, size=64)).fused
        assert not component().build(Site(channels=8, size=64, twice_differentiable=True)).fused
        assert component(path="fused").build(Site(channels=8, size=4)).fused
        assert not component(path="plain").build(Site(channels=8, size=64)).fused
    with pytest.raises(PlacementError, match="second derivative"):
        component(path="fused").build(Site(channels=8, twice_differentiable=True))
