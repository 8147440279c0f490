"""The name under which a component was created.

A component is a frozen class of a plugin, without a field for its name, and its class does not determine the name: one class
may be offered under several names, for several kinds, and from another module than its own. So the code that creates a
component by name (a recipe, ``Registry.create``) records the name here, by the id of the object. Equal components keep their
own names.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from attrs import frozen


@frozen
class Origin:
    """The kind and the name by which a component was created."""

    kind: str
    name: str
    """``block`` or ``owner:block``, as it was written."""


_ORIGINS: dict[int, tuple[Callable[[], Any], Origin]] = {}
"""id of a component -> a reference to it, because a later object may have the same id; and its origin."""


def remember(component: object, origin: Origin) -> None:
    """Record the origin of a component."""
    _ORIGINS[id(component)] = (_reference(component), origin)


def origin_of(component: object) -> Origin | None:
    """Return what :func:`remember` has recorded for this very object, or None."""
    reference, origin = _ORIGINS.get(id(component), (None, None))
    return origin if reference is not None and reference() is component else None


def _reference(component: object) -> Callable[[], Any]:
    """Return a weak reference that deletes the record with the object, or a strong one if the object allows none."""
    key = id(component)
    try:
        return weakref.ref(component, lambda _: _ORIGINS.pop(key, None))
    except TypeError:
        return lambda: component


def hand_on(old: object, new: object) -> None:
    """Give a changed copy of a component the origin of the original."""
    if new is not old and (origin := origin_of(old)) is not None:
        remember(new, origin)
