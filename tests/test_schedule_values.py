"""Schedules from unusual starts, and the bounds of options that move."""

from __future__ import annotations

import math

import pytest
from attrs import fields, frozen
from hypothesis import given
from hypothesis import strategies as st

from ganblocks import Constant, Cosine, LinearSchedule, Moving, WarmUp, moving
from ganblocks.options.limits import Limits, limits_of
from ganblocks.schedules import spanning, values_within


@given(start=st.floats(0, 10), end=st.floats(0, 10), seen=st.integers(0, 40))
def test_a_warm_up_leads_from_its_start_to_what_follows(start: float, end: float, seen: int) -> None:
    share = min(seen / 20, 1)
    warm = WarmUp(images=20, then=Constant(end), start=start)
    assert warm.at(seen) == pytest.approx(start * (1 - share) + end * share)
    falling = WarmUp(images=20, then=LinearSchedule(start=end, end=0.0, images=40), start=start)
    assert falling.at(seen) == pytest.approx(start * (1 - share) + end * (1 - seen / 40) * share)


def test_before_the_first_image_every_schedule_stands_at_its_start() -> None:
    assert LinearSchedule(start=3.0, end=1.0, images=10).at(-5) == 3.0
    assert Cosine(start=3.0, end=1.0, images=10).at(-5) == 3.0
    assert WarmUp(images=10, then=Constant(3.0), start=1.0).at(-5) == 1.0


@given(seen=st.integers(0, 10))
def test_a_cosine_is_half_a_wave(seen: int) -> None:
    expected = 1.0 + (3.0 - 1.0) * (1 + math.cos(math.pi * seen / 10)) / 2
    assert Cosine(start=3.0, end=1.0, images=10).at(seen) == pytest.approx(expected)


def test_corners_are_the_values_that_a_schedule_begins_and_ends_with() -> None:
    assert values_within(Constant(2)) == (2.0,)
    assert values_within(Cosine(start=1, end=3)) == values_within(LinearSchedule(start=1, end=3)) == (1.0, 3.0)
    assert values_within(WarmUp(images=5, then=LinearSchedule(start=1, end=3))) == (0.0, 1.0, 3.0)


@frozen
class Bounded:
    share: Moving = moving(0.5, low=0, high=1)
    rate: Moving = moving(0.5, above=0)


@pytest.mark.parametrize("fine", [0, 1, 0.5, LinearSchedule(start=0.0, end=1.0), WarmUp(images=2, then=Constant(1), start=1)])
def test_inclusive_bounds_may_be_reached(fine: Moving | float) -> None:
    assert values_within(Bounded(share=fine).share)[0] in (0, 1, 0.5)  # type: ignore[arg-type]  # converted


@pytest.mark.parametrize(
    "bad", [-0.01, 1.01, LinearSchedule(start=0.0, end=1.5), LinearSchedule(start=-0.5, end=1.0), math.inf, math.nan]
)
def test_they_may_not_be_passed_at_any_corner(bad: Moving | float) -> None:
    with pytest.raises(ValueError, match="'share' must be"):
        Bounded(share=bad)  # type: ignore[arg-type]


def test_only_the_start_of_several_values_may_be_an_excluded_zero() -> None:
    assert values_within(Bounded(rate=LinearSchedule(start=0.0, end=1.0)).rate) == (0.0, 1.0)
    with pytest.raises(ValueError, match="'rate' must be above 0"):
        Bounded(rate=LinearSchedule(start=1.0, end=0.0))
    with pytest.raises(ValueError, match="'rate' must be above 0"):
        Bounded(rate=0.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'rate' must be above 0"):
        Bounded(rate=LinearSchedule(start=-1.0, end=1.0))


def test_ranges_in_words() -> None:
    assert str(Limits(low=0, high=1)) == "at least 0 and at most 1"
    assert str(Limits(above=0.5)) == "above 0.5"
    assert str(Limits()) == ""
    ranges = [str(limits_of(each)) for each in fields(Bounded)]
    assert ranges == ["at least 0 and at most 1", "above 0"]


@frozen
class Nested:
    rates: tuple[Moving, ...]
    named: dict[str, Moving]
    count: int = 3


def test_spanning_reaches_into_tuples_and_mappings_and_keeps_lengths() -> None:
    open_ended, closed = LinearSchedule(start=1.0, end=0.0), Cosine(start=1.0, end=0.0, images=7)
    spanned = spanning(Nested((open_ended, closed), {"a": open_ended, "b": Constant(2)}), 50)
    filled = LinearSchedule(start=1.0, end=0.0, images=50)
    assert spanned == Nested((filled, closed), {"a": filled, "b": Constant(2)})
