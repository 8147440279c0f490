"""Self-attention against the paper's equations in float64, with γ ≠ 0: an attention test at γ = 0 tests nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from ganblocks_attention.arithmetic import LARGEST_PLAIN, attention_weights, plain
from ganblocks_attention.block import GlobalBlock
from ganblocks_attention.self_attention import SelfAttention
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import AttentionMap, Gated, PlacementError, Site
from ganblocks.testing import examples

options = st.fixed_dictionaries(
    {
        "reduction": st.sampled_from([2, 4, 8]),
        "value_ratio": st.sampled_from([1, 2, 8]),
        "pool": st.sampled_from([1, 2]),
        "scale": st.sampled_from([1.0, 0.5, 1 / math.sqrt(2)]),
    }
)
sides = st.sampled_from([2, 4, 6])
shapes = st.tuples(st.integers(1, 3), st.sampled_from([8, 16]), sides, sides).filter(lambda shape: shape[2:] != (2, 2))
seeds = st.integers(0, 2**20)
few = examples(25)


def block(channels: int = 16, size: tuple[int, int] = (4, 4), gamma: float = 0.7, seed: int = 0, **given: Any) -> GlobalBlock:
    site = Site(channels=channels, size=size, seed=seed, twice_differentiable=given.pop("twice", False))
    built = SelfAttention(gamma=gamma, **given).build(site).double()
    assert isinstance(built, GlobalBlock)
    return built


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reference(built: GlobalBlock, x: Tensor, pool: int, scale: float) -> tuple[Tensor, Tensor]:
    """(y, β) from the equations of section 3, one query position at a time; nothing of the implementation but its weights."""
    wq, wk, wv, wo = (layer.weight[:, :, 0, 0] for layer in (built.query, built.key, built.value, built.out))

    def grid(w: Tensor) -> Tensor:
        """Keys or values [B, h, w, D], the largest of each pool×pool cell."""
        every = torch.einsum("dc,bcij->bijd", w, x)
        cells = [every[:, i::pool, j::pool] for i in range(pool) for j in range(pool)]
        return torch.stack(cells).amax(0)

    keys, values = grid(wk).flatten(1, 2), grid(wv).flatten(1, 2)
    y, beta = torch.empty_like(x), []
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            query = x[:, :, i, j] @ wq.T
            scores = torch.stack([(key * query).sum(-1) * scale for key in keys.unbind(1)], -1)
            row = scores.exp() / scores.exp().sum(-1, keepdim=True)
            beta.append(row)
            gathered = (row[:, :, None] * values).sum(1)
            y[:, :, i, j] = x[:, :, i, j] + built.gamma * (gathered @ wo.T)
    return y, torch.stack(beta, 1)


@pytest.mark.statement(7)
@pytest.mark.parametrize("path", ["plain", "fused"])
@few
@given(shape=shapes, given_options=options, seed=seeds, gamma=st.floats(-2, 2).filter(lambda g: abs(g) > 0.01))
def test_output_and_gradients_are_those_of_the_equations(
    path: str, shape: tuple[int, int, int, int], given_options: dict[str, Any], seed: int, gamma: float
) -> None:
    built = block(shape[1], shape[2:], gamma, seed, path=path, **given_options)
    x, upstream = draw(shape, seed).requires_grad_(), draw(shape, seed + 1)
    inputs = [x, *built.parameters()]
    expected, _ = reference(built, x, given_options["pool"], given_options["scale"])
    actual = built(x)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    wanted = torch.autograd.grad((expected * upstream).sum(), inputs)
    for got, want in zip(torch.autograd.grad((actual * upstream).sum(), inputs), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-8, atol=1e-9)


@pytest.mark.statement(3, 15)
@few
@given(shape=shapes, given_options=options, seed=seeds)
def test_the_map_is_the_paper_s_and_its_rows_over_keys_sum_to_one(
    shape: tuple[int, int, int, int], given_options: dict[str, Any], seed: int
) -> None:
    built, x, pool = block(shape[1], shape[2:], seed=seed, **given_options), draw(shape, seed), given_options["pool"]
    attention, grid = built.attention_map(x)
    assert grid == (shape[2] // pool, shape[3] // pool)
    assert attention.shape == (shape[0], 1, shape[2] * shape[3], grid[0] * grid[1])
    assert (attention >= 0).all()
    torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1], dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(attention[:, 0], reference(built, x, pool, given_options["scale"])[1], rtol=1e-10, atol=1e-12)


@pytest.mark.statement(1, 2)
@few
@given(shape=shapes, seed=seeds, pool=st.sampled_from([1, 2]), path=st.sampled_from(["plain", "fused"]))
def test_gamma_zero_is_the_identity_bit_for_bit(shape: tuple[int, int, int, int], seed: int, pool: int, path: str) -> None:
    built = block(shape[1], shape[2:], gamma=0.0, pool=pool, path=path)
    x, upstream = draw(shape, seed).requires_grad_(), draw(shape, seed + 1)
    y = built(x)
    assert torch.equal(y, x)
    (y * upstream).sum().backward()
    assert torch.equal(x.grad, upstream)
    for layer in (built.query, built.key, built.value, built.out):
        assert not layer.weight.grad.any()
    assert built.gamma.grad.abs() > 0


@pytest.mark.statement(4)
@few
@given(seed=seeds, order=st.permutations(range(16)))
def test_without_pooling_positions_may_be_permuted(seed: int, order: list[int]) -> None:
    built, x = block(pool=1), draw((2, 16, 4, 4), seed)
    permuted = x.flatten(2)[:, :, order].unflatten(2, (4, 4))
    torch.testing.assert_close(built(permuted), built(x).flatten(2)[:, :, order].unflatten(2, (4, 4)), rtol=0, atol=1e-10)


@pytest.mark.statement(5)
@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.flip(2),
        lambda x: x.flip(3),
        lambda x: x.transpose(2, 3),
        lambda x: x.roll((2, -4), (2, 3)),
    ],
    ids=["vertical", "horizontal", "transpose", "roll by two"],
)
def test_with_pooling_moves_that_keep_the_cells_commute(move: Any) -> None:
    built, x = block(size=(6, 6)), draw((2, 16, 6, 6), 3)
    torch.testing.assert_close(built(move(x)), move(built(x)), rtol=0, atol=1e-10)


@pytest.mark.statement(5)
def test_with_pooling_a_roll_by_one_does_not_commute() -> None:
    built, x = block(size=(6, 6)), draw((2, 16, 6, 6), 3)
    assert (built(x.roll(1, 2)) - built(x).roll(1, 2)).abs().max() > 1e-6


@pytest.mark.statement(6)
@few
@given(seed=seeds)
def test_samples_do_not_see_each_other(seed: int) -> None:
    built, x = block(), draw((3, 16, 4, 4), seed)
    torch.testing.assert_close(built(x), torch.cat([built(part) for part in x.split(1)]), rtol=0, atol=1e-12)


@pytest.mark.statement(8)
@few
@given(seed=seeds)
def test_scores_may_move_by_a_constant_per_query(seed: int) -> None:
    query, key, value = draw((2, 5, 4), seed), draw((2, 3, 4), seed + 1), draw((2, 3, 6), seed + 2)
    shifted_key = torch.cat([key, torch.ones(2, 3, 1, dtype=torch.float64)], -1)
    shifted_query = torch.cat([query, draw((2, 5, 1), seed + 3)], -1)
    torch.testing.assert_close(plain(shifted_query, shifted_key, value, 1.0), plain(query, key, value, 1.0), rtol=0, atol=1e-10)


@pytest.mark.statement(9)
def test_a_constant_image_is_attended_uniformly() -> None:
    built, x = block(), draw((2, 16, 1, 1), 0).expand(2, 16, 4, 4)
    attention, _ = built.attention_map(x)
    torch.testing.assert_close(attention, torch.full_like(attention, 1 / 4), rtol=0, atol=1e-12)
    y = built(x)
    torch.testing.assert_close(y, y[:, :, :1, :1].expand_as(y), rtol=0, atol=1e-12)


@pytest.mark.statement(10)
@few
@given(seed=seeds)
def test_what_is_gathered_lies_between_the_values(seed: int) -> None:
    query, key, value = draw((2, 9, 4), seed), draw((2, 5, 4), seed + 1), draw((2, 5, 6), seed + 2)
    gathered = plain(query, key, value, 1.0)
    assert (gathered >= value.amin(1, keepdim=True) - 1e-12).all()
    assert (gathered <= value.amax(1, keepdim=True) + 1e-12).all()


@pytest.mark.statement(11)
@few
@given(seed=seeds, factor=st.floats(0.1, 5))
def test_scaling_the_output_is_scaling_gamma(seed: int, factor: float) -> None:
    one, two, x = block(), block(), draw((2, 16, 4, 4), seed)
    with torch.no_grad():
        one.out.weight.mul_(factor)
        two.gamma.copy_(one.gamma * factor)
    torch.testing.assert_close(one(x), two(x), rtol=0, atol=1e-10)


@pytest.mark.statement(12)
def test_without_queries_the_mean_of_the_values_is_added_everywhere() -> None:
    built, x = block(pool=2), draw((2, 16, 4, 4), 1)
    nn.init.zeros_(built.query.weight)
    mean = functional.max_pool2d(built.value(x), 2).mean((2, 3), keepdim=True)
    torch.testing.assert_close(built(x), x + built.gamma * built.out(mean), rtol=0, atol=1e-10)


@pytest.mark.statement(13)
@pytest.mark.parametrize("channels", [64, 128, 256, 512, 1024])
@pytest.mark.parametrize(("value_ratio", "share"), [(2, 1.25), (8, 0.5)])
def test_parameter_count_is_the_formula(channels: int, value_ratio: int, share: float) -> None:
    with torch.device("meta"):
        built = SelfAttention(value_ratio=value_ratio).build(Site(channels=channels, size=32))
    assert sum(p.numel() for p in built.parameters()) == share * channels**2 + 1


@pytest.mark.statement(14)
def test_it_can_be_differentiated_twice_where_a_penalty_asks_and_never_fuses_there() -> None:
    built = block(8, (4, 4), 0.5, reduction=4, twice=True)
    assert not built.fused
    assert torch.autograd.gradgradcheck(built, (draw((1, 8, 4, 4), 0).requires_grad_(),), eps=1e-6, atol=1e-4)
    with pytest.raises(PlacementError, match="second derivative"):
        SelfAttention(path="fused").build(Site(channels=16, twice_differentiable=True))


def test_auto_fuses_large_maps_only() -> None:
    with torch.device("meta"):
        assert not SelfAttention().build(Site(channels=8, size=32)).fused
        assert SelfAttention().build(Site(channels=8, size=64)).fused
    assert LARGEST_PLAIN == 32 * 32


@pytest.mark.statement(16)
def test_scale_is_explicit() -> None:
    x = draw((2, 16, 4, 4), 0) * 3
    plain_scale, transformer = block(path="fused"), block(path="fused", scale=1 / math.sqrt(2))
    assert (plain_scale(x) - transformer(x)).abs().max() > 1e-3


@pytest.mark.statement(15)
@pytest.mark.parametrize(
    ("channels", "size", "given_options", "words"),
    [
        (4, 4, {}, "reduction = 4"),
        (12, 4, {}, "reduction = 6"),
        (8, 5, {}, "pool = 1"),
        (8, (4, 7), {}, "pool = 1"),
    ],
)
def test_a_place_that_does_not_fit_is_refused_with_the_fix(
    channels: int, size: int | tuple[int, int], given_options: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlacementError, match=words) as caught:
        SelfAttention(**given_options).build(Site(channels=channels, size=size, path="generator.block2.attention"))
    assert "generator.block2.attention" in str(caught.value)


def test_odd_and_oblong_maps_work_unpooled() -> None:
    built, x = block(size=(3, 5), pool=1), draw((1, 16, 3, 5), 0)
    torch.testing.assert_close(built(x), reference(built, x, 1, 1.0)[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("path", ["plain", "fused"])
def test_both_memory_formats_give_the_same_and_channels_last_stays(path: str) -> None:
    built, x = block(path=path), draw((2, 16, 4, 4), 0)
    y = built(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(y, built(x), rtol=1e-10, atol=1e-10)
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_softmax_runs_in_float32_under_autocast() -> None:
    query, key = (40 * torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(s)).bfloat16() for s in (0, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        attention = attention_weights(query, key, 1.0)
    assert attention.dtype == torch.float32
    torch.testing.assert_close(attention.sum(-1), torch.ones(1, 4))


@pytest.mark.statement(17)
def test_compiled_it_is_the_same() -> None:
    """As torch.compile captures and differentiates it; its backend "aot_eager" needs no compiler of C++."""
    built, x = block(channels=16, size=(8, 8)), draw((2, 16, 8, 8), 0).requires_grad_()
    compiled = torch.compile(built, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), built(x), rtol=1e-5, atol=1e-5)
    wanted = torch.autograd.grad(built(x).square().sum(), [x, *built.parameters()])
    for got, want in zip(torch.autograd.grad(compiled(x).square().sum(), [x, *built.parameters()]), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.statement(18)
def test_state_goes_round_and_equal_sites_build_equal_blocks() -> None:
    one, two, other = block(seed=1), block(seed=1), block(seed=2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.query.weight, other.query.weight)
    other.load_state_dict(one.state_dict())
    x = draw((1, 16, 4, 4), 0)
    assert torch.equal(one(x), other(x))


def test_capabilities_are_declared() -> None:
    assert isinstance(block(), AttentionMap)
    assert isinstance(block(), Gated)
