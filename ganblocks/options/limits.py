"""The values that an option allows, as data: bounds of its numbers, lengths of its lists, and choices."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import attrs
from attrs import frozen

from ganblocks.errors import OptionError

LIMITS = "ganblocks.limits"
"""Metadata key of an attrs field: its :class:`Limits`."""


class Bound(NamedTuple):
    """One kind of bound."""

    holds: Callable[[float, float], bool]
    words: str
    sign: str
    """As attrs' validators write it."""
    keyword: str
    """As JSON Schema writes it."""


BOUNDS = {
    "low": Bound(operator.ge, "at least", ">=", "minimum"),
    "above": Bound(operator.gt, "above", ">", "exclusiveMinimum"),
    "high": Bound(operator.le, "at most", "<=", "maximum"),
    "below": Bound(operator.lt, "below", "<", "exclusiveMaximum"),
}
"""By their names in :class:`Limits`."""


@frozen(kw_only=True)
class Limits:
    """The values that an option allows. Bounds hold for each number in it, ``min_items`` for the length of a list."""

    low: float = -math.inf
    above: float = -math.inf
    high: float = math.inf
    below: float = math.inf
    min_items: int = 0
    choices: tuple[Any, ...] = ()
    """Empty: any value."""

    def bounds(self) -> Iterator[tuple[Bound, float]]:
        """Iterate over the bounds that are set."""
        values = ((bound, getattr(self, name)) for name, bound in BOUNDS.items())
        return ((bound, value) for bound, value in values if math.isfinite(value))

    def __str__(self) -> str:
        """The bounds in words, such as "at least 0 and below 1"; empty if there is none."""
        return " and ".join(f"{bound.words} {value:g}" for bound, value in self.bounds())

    def check(self, number: float) -> None:
        """Raise OptionError if a number is not finite, too long, or outside the bounds."""
        if isinstance(number, int) and number.bit_length() > 63:
            raise OptionError("must be a number of at most 64 bits", "write a smaller number")
        if not math.isfinite(number):
            raise OptionError("must be a finite number")
        for bound, value in self.bounds():
            if not bound.holds(number, value):
                raise OptionError(f"must be {bound.words} {value:g}")


def limits_of(attribute: attrs.Attribute[Any]) -> Limits:
    """Return the limits of a field: those of ``option``, or what attrs' own validators tell."""
    declared: Limits | None = attribute.metadata.get(LIMITS)
    return declared or Limits(**_from_attrs(attribute.validator))


def _from_attrs(validator: Any) -> dict[str, Any]:
    """Read the arguments of attrs' own validators. A validator of the plugin's own tells nothing."""
    names, limits = {bound.sign: name for name, bound in BOUNDS.items()}, dict[str, Any]()
    for part in _parts(validator):
        if hasattr(part, "compare_op"):
            limits[names[part.compare_op]] = part.bound
        elif hasattr(part, "options") and not isinstance(part.options, str):
            limits["choices"] = tuple(part.options)
        elif hasattr(part, "min_length"):
            limits["min_items"] = part.min_length
    return limits


def _parts(validator: Any) -> Iterator[Any]:
    """Iterate over the validators inside ``and_``, ``optional`` and ``deep_iterable``."""
    negated = hasattr(validator, "exc_types")  # not_
    names = () if negated else ("validator", "member_validator", "iterable_validator")
    wrapped = [*getattr(validator, "_validators", ()), *(getattr(validator, name, None) for name in names)]
    inner = [part for part in wrapped if part is not None]
    for part in inner:
        yield from _parts(part)
    if not inner and validator is not None:
        yield validator
