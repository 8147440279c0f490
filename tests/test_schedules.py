"""Schedules: closed forms, ranges, and the length that training gives them."""

from __future__ import annotations

import math

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from ganblocks import Constant, Cosine, LinearSchedule, Moving, WarmUp, moving
from ganblocks.schedules import spanning, values_within

numbers = st.floats(-1e3, 1e3)
lengths = st.integers(1, 10**7)


@given(start=numbers, end=numbers, images=lengths, seen=st.integers(0, 2 * 10**7))
def test_a_line_interpolates_and_then_stays(start: float, end: float, images: int, seen: int) -> None:
    share = min(seen / images, 1.0)
    assert LinearSchedule(start=start, end=end, images=images).at(seen) == pytest.approx(
        start * (1 - share) + end * share, abs=1e-9
    )


@given(start=numbers, end=numbers, images=lengths)
def test_a_cosine_passes_its_start_its_middle_and_its_end(start: float, end: float, images: int) -> None:
    cosine = Cosine(start=start, end=end, images=2 * images)
    assert cosine.at(0) == pytest.approx(start, abs=1e-9)
    assert cosine.at(images) == pytest.approx((start + end) / 2, abs=1e-9)
    assert cosine.at(5 * images) == pytest.approx(end, abs=1e-9)


@given(
    kind=st.sampled_from([LinearSchedule, Cosine]),
    begin=st.integers(0, 100),
    length=st.integers(1, 100),
    seen=st.integers(-5, 250),
)
def test_one_that_begins_late_is_one_that_began_at_once_but_later(
    kind: type[LinearSchedule | Cosine], begin: int, length: int, seen: int
) -> None:
    late = kind(start=2.0, end=0.5, images=begin + length, begin=begin)
    assert late.at(seen) == kind(start=2.0, end=0.5, images=length).at(seen - begin)


@given(kind=st.sampled_from([LinearSchedule, Cosine]), images=lengths, more=st.integers(0, 100), share=st.floats(0, 1))
def test_one_that_would_begin_after_its_end_never_leaves_its_start(
    kind: type[LinearSchedule | Cosine], images: int, more: int, share: float
) -> None:
    assert kind(start=2.0, end=0.5, images=images, begin=images + more).at(int(share * images)) == 2.0


@given(images=lengths, seen=st.integers(0, 10**8), value=st.floats(1e-6, 1e3))
def test_a_warm_up_reaches_what_follows_it(images: int, seen: int, value: float) -> None:
    warm = WarmUp(images=images, then=Constant(value))
    assert warm.at(0) == 0
    assert warm.at(seen) == pytest.approx(value * min(seen / images, 1.0))
    falling = WarmUp(images=images, then=LinearSchedule(start=value, end=0.0, images=3 * images))
    assert falling.at(2 * images) == pytest.approx(value / 3)


@given(schedule=st.builds(Cosine, start=numbers, end=numbers, images=lengths), seen=st.integers(0, 10**8))
def test_every_value_lies_between_the_corners(schedule: Moving, seen: int) -> None:
    low, high = min(values_within(schedule)), max(values_within(schedule))
    assert low - 1e-9 <= schedule.at(seen) <= high + 1e-9


@frozen
class Owner:
    rate: Moving = moving(0.5, above=0)
    name: str = "owner"
    children: tuple[Owner, ...] = ()


def test_spanning_fills_in_the_length_of_the_training_deeply_and_nowhere_else() -> None:
    inner = Owner(rate=WarmUp(images=10, then=Cosine(start=1.0, end=0.1)))
    outer = Owner(rate=LinearSchedule(start=1.0, end=0.5, images=7), children=(inner,))
    spanned = spanning(outer, 1000)
    assert spanned.rate == outer.rate
    assert spanned.children[0].rate == WarmUp(images=10, then=Cosine(start=1.0, end=0.1, images=1000))
    assert spanned == evolve(outer, children=spanned.children)
    assert outer.children[0] is inner
    assert inner.rate == WarmUp(images=10, then=Cosine(start=1.0, end=0.1))


@pytest.mark.parametrize(
    "bad", [0.0, -1.0, math.nan, math.inf, LinearSchedule(start=1.0, end=-1.0), Cosine(start=1.0, end=0.0)]
)
def test_a_moving_number_is_held_to_its_range_at_every_corner(bad: Moving | float) -> None:
    with pytest.raises(ValueError, match="rate"):
        Owner(rate=bad)


def test_a_bare_number_is_constant_and_a_warm_up_may_start_at_zero() -> None:
    assert Owner(rate=2).rate == Constant(2)
    assert Owner(rate=WarmUp(images=5, then=Constant(1.0))).rate.at(0) == 0
