"""Hypothesis strategies: components with options within their ranges, places, images and conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import attrs
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ganblocks.errors import GanblocksError
from ganblocks.options.fields import hints_of, options_of
from ganblocks.options.limits import limits_of
from ganblocks.options.words import is_schedule, is_union
from ganblocks.registry import Registry
from ganblocks.schedules import Constant
from ganblocks.site import Site
from ganblocks.sizes import Size
from ganblocks.sockets import DEFAULT, socket_kind
from ganblocks.values import (
    Classes,
    Condition,
    ImageSpec,
    Player,
    Vector,
)

LARGEST = 16
"""Unless its range begins higher, no integer option is drawn above this: networks stay small."""
SMALL_TABLES = (1, 2, 3, 4, 8)

seeds = st.integers(0, 2**16)
batches = st.integers(2, 3)
conditions: SearchStrategy[Condition] = st.sampled_from([None, Classes(3), Vector(5)])
"""Every kind of condition."""
even_sizes = st.sampled_from([(4, 4), (2, 4), (8, 4), (6, 2)])
any_sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


def components(
    cls: type, registry: Registry, given: Sequence[Any] = (), smallest: int = 0, still: Sequence[type] = ()
) -> SearchStrategy[Any]:
    """Components of a class, with options that its validators allow; or one of those that are given.

    Args:
        cls: the component's class.
        registry: fills its sockets.
        given: if there are any, one of them is taken.
        smallest: no integer is drawn below it, where its range goes so far: a network one channel wide may be dead by chance.
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
        if not _default_will_do(attribute) or not draw(st.booleans(), label=key):
            options[key] = draw(_option(attribute, hints[attribute.name], registry, smallest))
    try:
        return cls(**options)
    except (ValueError, TypeError):  # a validator that looks at several options, or at what no range can say
        assume(False)


def _default_will_do(attribute: attrs.Attribute[Any]) -> bool:
    """Whether there is a default, and a small one."""
    default: Any = attribute.default
    return default is not attrs.NOTHING and not (type(default) is int and default > LARGEST)


def _option(attribute: attrs.Attribute[Any], hint: Any, registry: Registry, smallest: int) -> SearchStrategy[Any]:
    if kind := socket_kind(attribute):
        return _socket(kind, attribute.metadata[DEFAULT], registry)
    return values(hint, attribute, smallest)


def _socket(kind: str, default: str | None, registry: Registry) -> SearchStrategy[Any]:
    """What fills a socket: mostly its default; sometimes another component that comes with ganblocks."""
    ours = [offer.full_name for offer in registry.offers(kind) if offer.distribution == "ganblocks"]
    names = [name for name in ([default] * 3 if default else []) + ours if name]
    return st.sampled_from(names or [""]).map(lambda name: _created(registry, kind, name))


def _created(registry: Registry, kind: str, name: str) -> Any:
    try:
        return registry.create(kind, name)
    except GanblocksError:
        assume(False)


def values(hint: Any, attribute: attrs.Attribute[Any], smallest: int = 0) -> SearchStrategy[Any]:
    """Values of an option's type, within what its validators allow as far as they can be read."""
    limits = limits_of(attribute)
    if limits.choices:
        return _of_choices(hint, limits.choices)
    if is_schedule(hint):
        return _numbers(limits.low, limits.above, limits.high, limits.below).map(Constant)
    if is_union(hint):
        return st.one_of(*(st.none() if each is NoneType else values(each, attribute, smallest) for each in get_args(hint)))
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) is tuple:
        return _tuples(get_args(hint), attribute)
    if hint is bool:
        return st.booleans()
    if hint is int:
        return _integers(max(limits.low, min(smallest, limits.high)), limits.above, limits.high, limits.below)
    if hint is float:
        return _numbers(limits.low, limits.above, limits.high, limits.below)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    words = st.text("abc/", min_size=1, max_size=4)
    return words if hint is str else words.map(Path) if hint is Path else st.nothing()


def _of_choices(hint: Any, choices: Sequence[Any]) -> SearchStrategy[Any]:
    """One of the choices, or a tuple of them."""
    if get_origin(hint) is not tuple:
        return st.sampled_from(list(choices))
    return st.lists(st.sampled_from(list(choices)), min_size=1, max_size=len(choices), unique=True).map(tuple)


def _tuples(types: tuple[Any, ...], attribute: attrs.Attribute[Any]) -> SearchStrategy[Any]:
    if types[-1] is not Ellipsis:
        return st.tuples(*(values(each, attribute) for each in types))
    return st.lists(values(types[0], attribute), min_size=0, max_size=3, unique=True).map(tuple)


def _integers(low: float, above: float, high: float, below: float) -> SearchStrategy[int]:
    first = int(max(low, above + 1, 0 if min(high, below) > 0 else -LARGEST))
    last = int(min(high, below - 1, max(LARGEST, first)))
    usual = [n for n in SMALL_TABLES if first <= n <= last]
    return st.one_of(st.sampled_from(usual), st.integers(first, last)) if usual else st.integers(first, last)


def _numbers(low: float, above: float, high: float, below: float) -> SearchStrategy[float]:
    """Numbers of ordinary size: ranges without an end reach to 1, and nothing is drawn within 1e-6 of an open end."""
    first = max(low, above + 1e-6 if above > -math.inf else -math.inf)
    first = first if first > -math.inf else -1.0
    last = min(high, below - 1e-6 if below < math.inf else math.inf)
    last = last if last < math.inf else max(1.0, first + 1.0)
    return st.floats(first, last, allow_nan=False, allow_infinity=False)


@st.composite
def sites(
    draw: st.DrawFn, sizes: SearchStrategy[tuple[int, int]] = even_sizes, channels: SearchStrategy[int] | None = None
) -> Site:
    """Places for a block, of any player, kind of condition and number of image channels."""
    return Site(
        channels=draw(st.sampled_from([8, 4, 16]) if channels is None else channels),
        size=draw(sizes),
        image_channels=draw(st.sampled_from([1, 3])),
        player=draw(st.sampled_from(Player)),
        condition=draw(conditions),
        seed=draw(seeds),
    )


scales = st.sampled_from([1.0, 1e-3, 30.0, 0.0])
"""What inputs are multiplied by; 1 is the simplest."""


def images(sizes: Sequence[Size]) -> SearchStrategy[ImageSpec]:
    """Kinds of images: 1 or 3 channels, with and without classes."""
    return st.builds(ImageSpec, channels=st.sampled_from([3, 1]), size=st.sampled_from(sizes), classes=st.sampled_from([3, 0]))
