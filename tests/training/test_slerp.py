"""The arc between two latents: its ends, lengths and angles, and the cases in which the formula divides by 0."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks.testing import examples
from ganblocks.training.slerp import slerp

T = torch.linspace(0, 1, 9, dtype=torch.float64)
seeds = st.integers(0, 2**32 - 1)
sizes = st.sampled_from([2, 3, 7, 128])


def two(seed: int, size: int) -> tuple[Tensor, Tensor]:
    first, last = torch.randn(2, size, generator=torch.Generator().manual_seed(seed))
    return first, last


def angles(points: Tensor) -> Tensor:
    """Between neighbours; by the chord, which is exact for small angles too."""
    unit = torch.nn.functional.normalize(points.double(), dim=1)
    return 2 * torch.asin((unit[1:] - unit[:-1]).norm(dim=1) / 2)


@examples(50)
@given(seeds, sizes)
def test_the_ends_are_the_latents_bit_for_bit(seed: int, size: int) -> None:
    first, last = two(seed, size)
    points = slerp(first, last, T)
    assert points.dtype == torch.float32
    assert torch.equal(points[0], first)
    assert torch.equal(points[-1], last)
    points = slerp(first.double(), last.double(), T)
    assert torch.equal(points[0], first.double()), "where the formula itself rounds"
    assert torch.equal(points[-1], last.double())


@examples(50)
@given(seeds, sizes)
def test_the_angle_grows_at_constant_speed_and_the_length_with_it(seed: int, size: int) -> None:
    first, last = two(seed, size)
    points = slerp(first, last, T)
    whole = angles(torch.stack([first, last]))
    torch.testing.assert_close(angles(points), whole.expand(8) / 8, rtol=1e-4, atol=1e-6)
    lengths = points.double().norm(dim=1)
    torch.testing.assert_close(lengths, torch.lerp(first.double().norm(), last.double().norm(), T), rtol=1e-6, atol=0)


@examples(50)
@given(seeds, sizes)
def test_there_and_back_is_one_way(seed: int, size: int) -> None:
    first, last = two(seed, size)
    torch.testing.assert_close(slerp(first, last, T).flip(0), slerp(last, first, T), rtol=1e-5, atol=1e-6)


@examples(50)
@given(seeds, sizes)
def test_for_equal_lengths_it_is_shoemakes_formula(seed: int, size: int) -> None:
    first, last = (3 * torch.nn.functional.normalize(end.double(), dim=0) for end in two(seed, size))
    angle = torch.arccos((first @ last / 9).clamp(-1, 1))
    if 1e-2 < angle < math.pi - 1e-2:  # where the formula itself is accurate
        weights = torch.sin((1 - T) * angle), torch.sin(T * angle)
        expected = (weights[0][:, None] * first + weights[1][:, None] * last) / torch.sin(angle)
        torch.testing.assert_close(slerp(first, last, T), expected, rtol=1e-9, atol=1e-9)


@examples(25)
@given(seeds, sizes, st.sampled_from([0.0, 1e-12, 1e-9, 1e-6]), st.sampled_from([0.5, 1.0, 3.0]))
def test_nearly_parallel_latents_have_a_nearly_straight_way(seed: int, size: int, gap: float, factor: float) -> None:
    first, other = two(seed, size)
    last = factor * (first + gap * other)
    straight = torch.lerp(first, last, T[:, None].float())
    torch.testing.assert_close(slerp(first, last, T), straight, rtol=1e-5, atol=1e-5 * first.norm().item())


@examples(25)
@given(seeds, sizes, st.sampled_from([1.0, 2.0]))
def test_between_opposite_latents_lies_half_a_circle(seed: int, size: int, factor: float) -> None:
    first, _ = two(seed, size)
    last = -factor * first
    points = slerp(first, last, T)
    torch.testing.assert_close(angles(points), torch.full((8,), math.pi / 8, dtype=torch.float64), rtol=1e-4, atol=1e-6)
    lengths = points.double().norm(dim=1) / first.double().norm()
    torch.testing.assert_close(lengths, torch.lerp(torch.ones_like(T), factor * torch.ones_like(T), T), rtol=1e-5, atol=0)
    torch.testing.assert_close(points.flip(0), slerp(last, first, T), rtol=1e-4, atol=1e-5)


@examples(25)
@given(seeds, sizes)
def test_nearly_opposite_latents_keep_the_length(seed: int, size: int) -> None:
    first, other = two(seed, size)
    for gap in (1e-3, 1e-6, 1e-8, 1e-10):
        points = slerp(first.double(), -first.double() + gap * other.double(), T)
        assert (points.norm(dim=1) / first.double().norm() - 1).abs().max() < 10 * gap + 1e-5


@pytest.mark.parametrize(
    ("first", "last", "middle"),
    [([1.0], [-1.0], [0.0]), ([0.0, 0.0], [0.0, 2.0], [0.0, 1.0]), ([0.0, 0.0], [0.0, 0.0], [0, 0])],
)
def test_without_an_arc_the_way_is_straight(first: list[float], last: list[float], middle: list[float]) -> None:
    ends = torch.tensor(first), torch.tensor(last)
    for points in (slerp(*ends, T), slerp(ends[1], ends[0], T)):
        torch.testing.assert_close(points[4], torch.tensor(middle, dtype=torch.float32), rtol=0, atol=1e-6)
        assert points.isfinite().all()
