"""A component's options in words: what ``ganblocks show`` prints."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import frozen

from ganblocks.options.fields import DEFAULT, default_of, options_of, socket_kind, types_of
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
    pairs = ((key, attribute, types_of(cls)[attribute.name]) for key, attribute in options_of(cls).items())
    return tuple(OptionFact(key, str(expected), _default(attribute), expected.range) for key, attribute, expected in pairs)


def _default(attribute: attrs.Attribute[Any]) -> str:
    default = attribute.metadata.get(DEFAULT) or default_of(attribute)
    if socket_kind(attribute) and default is None:
        default = "none"
    return "" if default is attrs.NOTHING else shown(plain(default))
