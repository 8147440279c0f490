"""A component's options in words, read off its fields and validators: what ``ganblocks show`` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from attrs import frozen

from ganblocks.options.fields import hints_of, options_of
from ganblocks.options.words import either, shown, type_words
from ganblocks.options.write import plain
from ganblocks.schedules import RANGE, describe_range
from ganblocks.sockets import DEFAULT, socket_kind

_COMPARISONS = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}


@frozen
class OptionFact:
    """One option of a component."""

    name: str
    type: str
    default: str
    """As TOML writes it; empty: it must be given."""
    range: str
    """What values are allowed, in words; empty: any of the type."""


def describe(cls: type) -> tuple[OptionFact, ...]:
    """Every option of a component class. Raises BrokenPlugin where a type cannot be read at run time."""
    hints = hints_of(cls)
    return tuple(_fact(key, attribute, hints[attribute.name]) for key, attribute in options_of(cls).items())


def _fact(key: str, attribute: attrs.Attribute[Any], hint: Any) -> OptionFact:
    if kind := socket_kind(attribute):
        default = attribute.metadata[DEFAULT] or ("none" if attribute.default is None else "")
        return OptionFact(key, f"{kind} component", shown(default) if default else "", "")
    moving = [describe_range(*attribute.metadata[RANGE])] if RANGE in attribute.metadata else []
    limits = dict.fromkeys([*_limits(attribute.validator), *moving])
    return OptionFact(key, type_words(hint), _default(attribute), " and ".join(limit for limit in limits if limit))


def _default(attribute: attrs.Attribute[Any]) -> str:
    if attribute.default is attrs.NOTHING:
        return ""
    default: Any = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a function to type checkers, a class at run time
        default = "" if default.takes_self else default.factory()
    return shown(plain(default))


def _limits(validator: Any) -> Iterator[str]:
    """The limits that a validator of attrs' sets; one of a plugin's own is not readable, and stands in the docstring."""
    if inner := getattr(validator, "_validators", None):  # and_, or a list
        for each in inner:
            yield from _limits(each)
    elif hasattr(validator, "compare_op"):
        yield f"{_COMPARISONS[validator.compare_op]} {validator.bound:g}"
    elif hasattr(validator, "options") and not isinstance(validator.options, str):
        yield either(shown(choice) for choice in validator.options)
    elif hasattr(validator, "member_validator"):
        yield from (f"each {limit}" for limit in _limits(validator.member_validator))
    elif hasattr(validator, "min_length"):
        yield f"at least {validator.min_length} items"
    elif hasattr(validator, "max_length"):
        yield f"at most {validator.max_length} items"
    elif hasattr(validator, "validator"):  # optional
        yield from _limits(validator.validator)
