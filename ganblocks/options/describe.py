"""A component's options in words: what ``ganblocks show`` prints."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import frozen

from ganblocks.options.docs import option_docs
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
    doc: str = ""

    @property
    def allowed(self) -> str:
        """Type and range in words."""
        return f"{self.type}, {self.range}" if self.range else self.type


def describe(cls: type) -> tuple[OptionFact, ...]:
    """Return every option of a component class. Raise BrokenPlugin if a type cannot be read at run time."""
    types, docs = types_of(cls), option_docs(cls)
    fields = [(key, attribute, types[attribute.name]) for key, attribute in options_of(cls).items()]
    return tuple(OptionFact(key, str(it), _default(field), it.range, docs.get(key, "")) for key, field, it in fields)


def _default(attribute: attrs.Attribute[Any]) -> str:
    default = attribute.metadata.get(DEFAULT) or default_of(attribute)
    if socket_kind(attribute) and default is None:
        default = "none"
    return "" if default is attrs.NOTHING else shown(plain(default))
