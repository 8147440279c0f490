"""The numbers and choices that an option's validators allow, as far as they can be read off attrs' own validators."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import attrs
from attrs import frozen

from ganblocks.schedules import RANGE


@frozen
class Limits:
    """What a value, or each member of a list, must be: within [low, high], above ``above``, below ``below``, of ``choices``."""

    low: float = -math.inf
    above: float = -math.inf
    high: float = math.inf
    below: float = math.inf
    choices: tuple[Any, ...] = ()
    """Empty: any."""


def limits_of(attribute: attrs.Attribute[Any]) -> Limits:
    """The limits of a field; a validator of the plugin's own is not readable, and limits nothing here."""
    low, above, high = attribute.metadata.get(RANGE, (-math.inf, -math.inf, math.inf))
    found = {">=": [low], ">": [above], "<=": [high], "<": [math.inf]}
    choices: tuple[Any, ...] = ()
    for validator in _simple(attribute.validator):
        if hasattr(validator, "compare_op"):
            found[validator.compare_op].append(validator.bound)
        elif hasattr(validator, "options") and not isinstance(validator.options, str):
            choices = tuple(validator.options)
    return Limits(max(found[">="]), max(found[">"]), min(found["<="]), min(found["<"]), choices)


def _simple(validator: Any) -> Iterator[Any]:
    """The validators inside ``and_``, ``optional`` and ``deep_iterable``."""
    if inner := getattr(validator, "_validators", None):
        for each in inner:
            yield from _simple(each)
    elif hasattr(validator, "member_validator"):
        yield from _simple(validator.member_validator)
    elif hasattr(validator, "validator"):
        yield from _simple(validator.validator)
    elif validator is not None:
        yield validator
