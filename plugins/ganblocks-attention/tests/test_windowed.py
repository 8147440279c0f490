"""Windowed attention against whole attention with all that lies outside a window forbidden."""

from __future__ import annotations

import pytest
import torch
from ganblocks_attention.positions import offsets
from ganblocks_attention.windowed import Windowed, WindowedBlock, into_windows, out_of_windows
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Site
from ganblocks.testing import examples

seeds = st.integers(0, 2**20)
sides = st.sampled_from([2, 3, 4])
counts = st.integers(1, 3)
few = examples(20)


def build(window: int, size: tuple[int, int], seed: int = 0, heads: int = 2, positions: str = "relative") -> WindowedBlock:
    component = Windowed(window=window, heads=heads, gamma=0.7, positions=positions)  # type: ignore[arg-type]  # drawn as text
    built = component.build(Site(channels=8, size=size, seed=seed)).double()
    assert isinstance(built, WindowedBlock)
    if built.bias is not None:
        nn.init.normal_(built.bias, generator=torch.Generator().manual_seed(seed))
    return built


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def masked(built: WindowedBlock, x: Tensor) -> Tensor:
    """[B, heads, N, N]: a softmax over all keys, of scores that are -inf outside the query's window; one pair at a time."""
    side, width = built.window, x.shape[3]
    query, key = (layer(x).flatten(2).unflatten(1, (built.heads, -1)) for layer in (built.query, built.key))
    scores = torch.einsum("bhdi,bhdj->bhij", query, key) * query.shape[2] ** -0.5
    for i in range(scores.shape[2]):
        for j in range(scores.shape[3]):
            (row, column), (down, right) = divmod(i, width), divmod(j, width)
            if (row // side, column // side) != (down // side, right // side):
                scores[:, :, i, j] = -torch.inf
            elif built.bias is not None:
                table = built.bias.view(-1, 2 * side - 1, 2 * side - 1)
                scores[:, :, i, j] += table[:, row - down + side - 1, column - right + side - 1]
    return scores.softmax(-1)


@few
@given(window=st.sampled_from([2, 3]), rows=counts, columns=counts, seed=seeds, positions=st.sampled_from(["none", "relative"]))
def test_it_is_whole_attention_with_a_mask(window: int, rows: int, columns: int, seed: int, positions: str) -> None:
    size = (window * rows, window * columns)
    built, x = build(window, size, seed, positions=positions), draw((2, 8, *size), seed)
    attention = masked(built, x)
    torch.testing.assert_close(built.attention_map(x)[0], attention, rtol=0, atol=1e-12)
    gathered = torch.einsum("bhij,bhdj->bhdi", attention, built.value(x).flatten(2).unflatten(1, (2, -1)))
    torch.testing.assert_close(built(x), x + built.gamma * built.out(gathered.reshape(x.shape)), rtol=0, atol=1e-11)


@few
@given(window=st.sampled_from([2, 3]), seed=seeds, order=st.permutations(range(6)))
def test_windows_may_be_permuted(window: int, seed: int, order: list[int]) -> None:
    size = (2 * window, 3 * window)
    built, x = build(window, size, seed), draw((1, 8, *size), seed)

    def permuted(t: Tensor) -> Tensor:
        return out_of_windows(into_windows(t.contiguous(), 1, window)[:, :, order], *size)

    torch.testing.assert_close(built(permuted(x)), permuted(built(x)), rtol=0, atol=1e-11)


def test_windows_do_not_see_each_other() -> None:
    built, x = build(2, (4, 4)), draw((1, 8, 4, 4), 0)
    changed = x.clone()
    changed[:, :, 2:, 2:] += 1
    difference = (built(changed) - built(x)).abs().amax(1)[0] > 1e-9
    assert torch.equal(difference.nonzero(), torch.tensor([[2, 2], [2, 3], [3, 2], [3, 3]]))


@few
@given(window=sides, rows=counts, columns=counts, heads=st.sampled_from([1, 2, 4]))
def test_windows_go_round(window: int, rows: int, columns: int, heads: int) -> None:
    x = draw((2, 8, window * rows, window * columns), 0)
    parts = into_windows(x, heads, window)
    assert parts.shape == (2, heads, rows * columns, window**2, 8 // heads)
    torch.testing.assert_close(parts[0, 0, 0, :, 0], x[0, 0, :window, :window].flatten(), rtol=0, atol=0)
    assert torch.equal(out_of_windows(parts, *x.shape[2:]), x)


@pytest.mark.parametrize("side", [1, 2, 3, 7])
def test_offsets_number_every_difference_of_two_positions(side: int) -> None:
    numbers = offsets(side)
    assert numbers.unique().numel() == (2 * side - 1) ** 2
    assert torch.equal(numbers.diagonal(), torch.full((side**2,), 2 * side * (side - 1)))
    assert torch.equal(numbers + numbers.T, torch.full_like(numbers, 4 * side * (side - 1)))


def test_offsets_start_at_zero_and_learn() -> None:
    built = Windowed(window=2, heads=2, gamma=0.7).build(Site(channels=8))
    assert isinstance(built, WindowedBlock)
    assert built.bias is not None
    assert not built.bias.any()
    built(torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    assert built.bias.grad.any(1).all()
