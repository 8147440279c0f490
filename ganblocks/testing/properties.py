"""Properties of components: a sentence, and a check that can fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from hypothesis.strategies import SearchStrategy

from ganblocks.registry import Registry

Cases = Callable[[type, Registry, Sequence[Any]], SearchStrategy[Any]]
"""(component class, registry, components to use instead of drawn ones) -> cases: a component and what it is tested on."""
CheckFunction = Callable[[Any], None]
"""Takes a case. Raises ConformanceError, or whatever the component raises."""


@frozen
class Property:
    """One property of every component of a kind."""

    name: str
    statement: str
    """The property as a sentence."""
    check: CheckFunction
    cases: Cases | None = None
    """How cases are drawn; None: as for the other properties of the kind."""
    examples: int = 10
    """Number of examples at hypothesis' default profile; a deeper profile has proportionally more."""
    shrinks: bool = True
    """Whether to search for the smallest failing example."""


def properties(
    *checks: CheckFunction, cases: Cases | None = None, examples: int = 10, shrinks: bool = True
) -> tuple[Property, ...]:
    """Return a property for each check; a check's docstring states it."""
    return tuple(
        Property(check.__name__, " ".join((check.__doc__ or "").split()), check, cases, examples, shrinks) for check in checks
    )
