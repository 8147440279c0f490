"""A component's options in words: what ``ganblocks show`` prints."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import frozen

from ganblocks.options.fields import DEFAULT, options_of, socket_kind, types_of
from ganblocks.options.words import shown
from ganblocks.options.write import plain


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
    """Return every option of a component class. Raise BrokenPlugin if a type cannot be read at run time."""
    return tuple(_fact(cls, key, attribute) for key, attribute in options_of(cls).items())


def _fact(cls: type, key: str, attribute: attrs.Attribute[Any]) -> OptionFact:
    if kind := socket_kind(attribute):
        default = attribute.metadata[DEFAULT] or ("none" if attribute.default is None else "")
        return OptionFact(key, f"{kind} component", shown(default) if default else "", "")
    expected = types_of(cls)[attribute.name]
    return OptionFact(key, str(expected), _default(attribute), expected.range)


def _default(attribute: attrs.Attribute[Any]) -> str:
    default: Any = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a function to type checkers, a class at run time
        default = attrs.NOTHING if default.takes_self else default.factory()
    return "" if default is attrs.NOTHING else shown(plain(default))
