"""A table of a recipe that is not read yet, and what is known of the class that it will become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import attrs
from attrs import frozen

from ganblocks.errors import GanblocksError
from ganblocks.options import Resolve
from ganblocks.options.fields import DEFAULT, hints_of, inline_of, options_of, socket_kind

UNTOUCHED = ("ablation", "extends")
"""Sections that changes do not reach."""


@frozen(eq=False)
class Place:
    """A table, the class that it fills (None: unknown), and for a table of named tables the class of each."""

    table: dict[str, Any]
    resolve: Resolve
    cls: type | None = None
    each: type | None = None

    def names(self) -> set[str]:
        """Keys that stand here, or that may stand here."""
        fields = [*self._fields(self.cls), *self._fields(self._inline_class())]
        return {*self.table, *fields} - {"use", *UNTOUCHED}

    def children(self) -> Iterator[Place]:
        """Every table inside."""
        for name in sorted(self.names()):
            if child := self.child(name):
                yield child

    def child(self, name: str) -> Place | None:
        """The table under ``name``. Short forms and defaults are written out, so that options can be set in them."""
        attribute, hint = self._field(name)
        kind = socket_kind(attribute) if attribute else None
        value = self.table.get(name, attribute.metadata.get(DEFAULT) if attribute else None)
        if value is None and attribute and not kind and _is_table(hint):
            value = {}
        if isinstance(value, str) and (kind or _shares_its_table(hint)):
            value = {"use": value}
        if not isinstance(value, dict) or name in UNTOUCHED:
            return None
        self.table[name] = value
        if get_origin(hint) is dict:
            return Place(value, self.resolve, each=get_args(hint)[1])
        return Place(value, self.resolve, self._component(kind, value) if kind else hint if attrs.has(hint) else None)

    def assign(self, key: str, value: Any) -> None:
        """Set a key. A new ``use`` replaces the whole socket: the old component's options do not stay behind."""
        if key == "use":
            own = options_of(self.cls) if _shares_its_table(self.cls) and self.cls else {}
            for other in [other for other in self.table if other not in own]:
                del self.table[other]
        if isinstance(value, str) and _shares_its_table(self._field(key)[1]) and (section := self.child(key)):
            section.assign("use", value)
        else:
            self.table[key] = _copied(value)

    def remove(self, key: str) -> None:
        del self.table[key]

    def _field(self, name: str) -> tuple[attrs.Attribute[Any] | None, Any]:
        """The field of a key, where one is known, and its type."""
        for cls in (self.cls, self._inline_class()):
            if cls is not None and name in self._fields(cls):
                attribute = options_of(cls)[name]
                return attribute, hints_of(cls)[attribute.name]
        return None, self.each

    def _inline_class(self) -> type | None:
        """The class of the component whose options stand in this section."""
        inline = inline_of(self.cls) if self.cls else None
        kind = inline and socket_kind(inline)
        return self._component(kind, self.table) if kind else None

    def _component(self, kind: str, table: dict[str, Any]) -> type | None:
        use = table.get("use")
        try:
            return self.resolve(kind, use) if isinstance(use, str) else None
        except GanblocksError:  # strict reading says what is wrong with it
            return None

    @staticmethod
    def _fields(cls: type | None) -> list[str]:
        return [] if cls is None else [key for key, attribute in options_of(cls).items() if attribute is not inline_of(cls)]


def _is_table(hint: Any) -> bool:
    return attrs.has(hint) or get_origin(hint) is dict


def _shares_its_table(hint: Any) -> bool:
    """True for a section whose keys stand beside its component's options."""
    return hint is not None and attrs.has(hint) and inline_of(hint) is not None


def _copied(value: Any) -> Any:
    """The same plain containers, made anew: one value may be assigned at several paths, and changed at one of them."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
