"""Numbers that depend on the images seen: one clock for rates, weights and decays.

In a recipe a bare number is ``Constant``; a table names one of the others: ``{ use = "cosine", start = 2.0, end = 0.2 }``.
Where ``images`` is absent, a schedule spans the whole training: :func:`spanning` fills it in.
"""

from __future__ import annotations

import math
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import attrs
from attrs import field, frozen
from attrs.validators import ge, gt, instance_of, optional

from ganblocks.origins import hand_on

T = TypeVar("T")


@runtime_checkable
class Schedule(Protocol):
    """A number as a function of the images seen."""

    def at(self, images_seen: int) -> float:
        """Return the value after ``images_seen`` images."""
        ...


@frozen
class Constant:
    """A constant value."""

    value: float = field(validator=instance_of((int, float)))

    def at(self, images_seen: int) -> float:
        """Return the value after ``images_seen`` images."""
        return float(self.value)


def _progress(images_seen: int, begin: int, images: int | None) -> float:
    """Return 0 until ``begin``, then a line to 1 at ``images``, then 1."""
    assert images is not None, "spanning() gives every schedule its length before training"
    return min(max((images_seen - begin) / max(images - begin, 1), 0.0), 1.0)


@frozen(kw_only=True)
class LinearSchedule:
    """``start`` until ``begin`` images, then a straight line to ``end`` at ``images`` images."""

    start: float = field(validator=instance_of((int, float)))
    end: float = field(validator=instance_of((int, float)))
    images: int | None = field(default=None, validator=optional([instance_of(int), gt(0)]))
    begin: int = field(default=0, validator=[instance_of(int), ge(0)])

    def at(self, images_seen: int) -> float:
        """Return the value after ``images_seen`` images."""
        return self.start + (self.end - self.start) * _progress(images_seen, self.begin, self.images)


@frozen(kw_only=True)
class Cosine:
    """``start`` until ``begin`` images, then half a cosine wave to ``end`` at ``images`` images."""

    start: float = field(validator=instance_of((int, float)))
    end: float = field(validator=instance_of((int, float)))
    images: int | None = field(default=None, validator=optional([instance_of(int), gt(0)]))
    begin: int = field(default=0, validator=[instance_of(int), ge(0)])

    def at(self, images_seen: int) -> float:
        """Return the value after ``images_seen`` images."""
        wave = (1 + math.cos(math.pi * _progress(images_seen, self.begin, self.images))) / 2
        return self.end + (self.start - self.end) * wave


@frozen(kw_only=True)
class WarmUp:
    """A straight line from ``start`` to ``then`` over ``images`` images, and ``then`` afterwards."""

    images: int = field(validator=[instance_of(int), gt(0)])
    then: Constant | LinearSchedule | Cosine
    start: float = field(default=0.0, validator=[instance_of((int, float)), ge(0.0)])

    def at(self, images_seen: int) -> float:
        """Return the value after ``images_seen`` images."""
        share = min(max(images_seen / self.images, 0.0), 1.0)
        return self.start + (self.then.at(images_seen) - self.start) * share


SCHEDULES: dict[str, type] = {"constant": Constant, "linear": LinearSchedule, "cosine": Cosine, "warm_up": WarmUp}
"""The names that a recipe may use in a schedule's ``use``."""

Moving = Constant | LinearSchedule | Cosine | WarmUp
"""The annotation of an option that may follow a schedule. Declare such a field with :func:`ganblocks.moving`."""


def values_within(schedule: Moving) -> tuple[float, ...]:
    """Return the values at a schedule's corners; between them every schedule is monotone."""
    match schedule:
        case Constant():
            return (float(schedule.value),)
        case LinearSchedule() | Cosine():
            return (float(schedule.start), float(schedule.end))
        case WarmUp():
            return (float(schedule.start), *values_within(schedule.then))


def as_schedule(value: Any) -> Any:
    """Return a number as a constant schedule; anything else unchanged."""
    return Constant(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def spanning(component: T, images: int) -> T:
    """Return the component in which each schedule without a length spans ``images`` images (deeply)."""
    value: Any = component
    if isinstance(value, tuple):
        value = tuple(spanning(item, images) for item in value)
    elif isinstance(value, dict):
        value = {key: spanning(item, images) for key, item in value.items()}
    elif isinstance(value, LinearSchedule | Cosine) and value.images is None:
        value = attrs.evolve(value, images=images)
    elif attrs.has(type(value)):
        value = attrs.evolve(value, **_spanned_fields(value, images))
    hand_on(component, value)
    return cast("T", value)


def _spanned_fields(value: Any, images: int) -> dict[str, Any]:
    """Return the fields of an attrs instance that change, by the names of its constructor."""
    olds = {a.alias: getattr(value, a.name) for a in attrs.fields(type(value)) if a.init}
    news = {name: spanning(old, images) for name, old in olds.items()}
    return {name: new for name, new in news.items() if new != olds[name]}
