"""The name under which a component was asked for, remembered beside the component.

A component is a frozen class of somebody else's, with no room for a name; and its class does not tell: one class may be offered
under several names, for several kinds, and from another module than the one that defines it. So whoever makes a component from
its name (a recipe, ``Registry.create``) records the name here, by the identity of the object. Equal components keep names of
their own.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from attrs import frozen


@frozen
class Origin:
    """What a recipe, or a caller of ``Registry.create``, has written to get a component."""

    kind: str
    name: str
    """``block``, or ``owner:block`` where it was written so."""


_ORIGINS: dict[int, tuple[Callable[[], Any], Origin]] = {}
"""id of a component -> a reference to it, so that a later object at the same address is not taken for it; and its origin."""


def remember(component: object, origin: Origin) -> None:
    """Record where a component comes from."""
    _ORIGINS[id(component)] = (_reference(component), origin)


def origin_of(component: object) -> Origin | None:
    """Return what :func:`remember` has recorded for this very object, or None: it was made otherwise."""
    reference, origin = _ORIGINS.get(id(component), (None, None))
    return origin if reference is not None and reference() is component else None


def _reference(component: object) -> Callable[[], Any]:
    """Return a weak reference, whose end is also that of the record; a strong one to objects that have no room for it."""
    key = id(component)
    try:
        return weakref.ref(component, lambda _: _ORIGINS.pop(key, None))
    except TypeError:
        return lambda: component


def hand_on(old: object, new: object) -> None:
    """Give a changed copy of a component the origin of the original."""
    if new is not old and (origin := origin_of(old)) is not None:
        remember(new, origin)
