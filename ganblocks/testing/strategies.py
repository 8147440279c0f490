"""Hypothesis strategies: components with options within their ranges, sites, images and conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import attrs
from attrs import evolve
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ganblocks.errors import GanblocksError
from ganblocks.options.fields import hints_of, options_of, types_of
from ganblocks.options.limits import Limits
from ganblocks.options.types import Choice, Component, ListOf, OneOf, OptionType, Plain, Varying
from ganblocks.registry import Registry
from ganblocks.schedules import Constant
from ganblocks.site import Site
from ganblocks.sizes import Size
from ganblocks.values import Classes, Condition, ImageSpec, Player, Vector

LARGEST = 16
"""No integer option is drawn above this, unless its range begins higher: networks stay small."""
SMALL_TABLES = (1, 2, 3, 4, 8)

seeds = st.integers(0, 2**16)
batches = st.integers(2, 3)
conditions: SearchStrategy[Condition] = st.sampled_from([None, Classes(3), Vector(5)])
"""Every kind of condition."""
even_sizes = st.sampled_from([(4, 4), (2, 4), (8, 4), (6, 2)])
usual_channels = st.sampled_from([8, 4, 16])
any_sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


def components(
    cls: type, registry: Registry, given: Sequence[Any] = (), smallest: int = 0, still: Sequence[type] = ()
) -> SearchStrategy[Any]:
    """Return components of a class with random valid options, or one of those given.

    Args:
        cls: the component's class.
        registry: fills its sockets.
        given: if not empty, one of these is taken.
        smallest: no integer is drawn below it, unless its range ends earlier: a network one channel wide may be dead by chance.
        still: options of these types keep their defaults.

    """
    return st.sampled_from(list(given)) if given else _drawn(cls, registry, smallest, still)


@st.composite
def _drawn(draw: st.DrawFn, cls: type, registry: Registry, smallest: int, still: Sequence[type]) -> Any:
    hints = hints_of(cls)
    options = {}
    for key, attribute in options_of(cls).items():
        if hints[attribute.name] in still and attribute.default is not attrs.NOTHING:
            continue
        if not _has_small_default(attribute) or not draw(st.booleans(), label=key):
            options[key] = draw(values(types_of(cls)[attribute.name], registry, smallest))
    try:
        return cls(**options)
    except (ValueError, TypeError):  # a validator of several options, or of what no range can express
        assume(False)


def _has_small_default(attribute: attrs.Attribute[Any]) -> bool:
    """Return whether there is a default, and a small one."""
    default: Any = attribute.default
    return default is not attrs.NOTHING and not (type(default) is int and default > LARGEST)


def _socket(kind: str, default: str | None, registry: Registry) -> SearchStrategy[Any]:
    """Return components for a socket: mostly its default, sometimes another built-in one."""
    ours = [offer.full_name for offer in registry.offers(kind) if offer.distribution == "ganblocks"]
    names = [name for name in ([default] * 3 if default else []) + ours if name]
    return st.sampled_from(names or [""]).map(lambda name: _created(registry, kind, name))


def _created(registry: Registry, kind: str, name: str) -> Any:
    try:
        return registry.create(kind, name)
    except GanblocksError:
        assume(False)


def values(expected: OptionType, registry: Registry, smallest: int = 0) -> SearchStrategy[Any]:
    """Return values of an option's type within its limits; no integer below ``smallest``, unless the limits end earlier."""
    limits = expected.limits
    if expected.or_none and not isinstance(expected, Component):
        return st.none() | values(evolve(expected, or_none=False), registry, smallest)
    match expected:
        case Component():
            return _socket(expected.kind, expected.usual, registry)
        case Varying():
            return _numbers(limits).map(Constant)
        case OneOf():
            return st.one_of(*(values(member, registry, smallest) for member in expected.members))
        case Choice():
            return st.sampled_from([expected.enum(choice) if expected.enum else choice for choice in limits.choices])
        case ListOf(of_any_length=True):
            return _lists(expected, values(expected.members[0], registry))
        case ListOf():
            return st.tuples(*(values(member, registry) for member in expected.members))
        case Plain(kind=kind) if kind is bool:
            return st.booleans()
        case Plain(kind=kind) if kind is int:
            return _integers(evolve(limits, low=max(limits.low, min(smallest, limits.high))))
        case Plain(kind=kind) if kind is float:
            return _numbers(limits)
        case Plain():
            return st.text("abc/", min_size=1, max_size=4).map(expected.kind)
    return st.nothing()


def _lists(expected: ListOf, members: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Return tuples of different members; at least one member if they are chosen from a list."""
    choices = len(expected.members[0].limits.choices)
    least = max(expected.limits.min_items, 1 if choices else 0)
    return st.lists(members, min_size=least, max_size=max(choices or 3, least), unique=True).map(tuple)


def _integers(limits: Limits) -> SearchStrategy[int]:
    first = int(max(limits.low, limits.above + 1, 0 if min(limits.high, limits.below) > 0 else -LARGEST))
    last = int(min(limits.high, limits.below - 1, max(LARGEST, first)))
    usual = [n for n in SMALL_TABLES if first <= n <= last]
    return st.one_of(st.sampled_from(usual), st.integers(first, last)) if usual else st.integers(first, last)


def _numbers(limits: Limits) -> SearchStrategy[float]:
    """Return numbers of ordinary size: unbounded ranges end at 1, and nothing is drawn within 1e-6 of an open end."""
    first = max(limits.low, limits.above + 1e-6)
    first = first if first > -math.inf else -1.0
    last = min(limits.high, limits.below - 1e-6)
    last = last if last < math.inf else max(1.0, first + 1.0)
    return st.floats(first, last, allow_nan=False, allow_infinity=False)


def sites(
    sizes: SearchStrategy[tuple[int, int]] = even_sizes, channels: SearchStrategy[int] = usual_channels
) -> SearchStrategy[Site]:
    """Return sites of a block, of either player, any kind of condition and number of image channels."""
    return st.builds(
        Site,
        channels=channels,
        size=sizes,
        image_channels=st.sampled_from([1, 3]),
        player=st.sampled_from(Player),
        condition=conditions,
        seed=seeds,
    )


scales = st.sampled_from([1.0, 1e-3, 30.0, 0.0])
"""Factors of inputs; 1 is the simplest."""


def _images(*sizes: Size) -> SearchStrategy[ImageSpec]:
    """Return kinds of images: 1 or 3 channels, with and without classes."""
    return st.builds(ImageSpec, channels=st.sampled_from([3, 1]), size=st.sampled_from(sizes), classes=st.sampled_from([3, 0]))


images = _images(8, 16, 32, (8, 16))
any_images = _images(8, 12, 7, 16, 28, (16, 8), (6, 4))
