"""A table of a recipe before it is read, with the class that it will fill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from ganblocks.errors import GanblocksError
from ganblocks.options import Resolve
from ganblocks.options.fields import inline_of, options_of, types_of
from ganblocks.options.types import Component, OptionType, Section, TableOf

UNTOUCHED = ("ablation", "extends")
"""Sections that changes do not reach."""


@frozen(eq=False)
class RawTable:
    """A table, the class that it fills (None: unknown), and what each member of a table of named terms may hold."""

    table: dict[str, Any]
    resolve: Resolve
    cls: type | None = None
    member: OptionType | None = None

    def names(self) -> set[str]:
        """Return the keys that are given here or may be given here."""
        return {*self.table, *self._types(self.cls), *self._types(self._inline_class())} - {"use", *UNTOUCHED}

    def children(self) -> Iterator[RawTable]:
        """Iterate over the tables inside."""
        for name in sorted(self.names()):
            if child := self.child(name):
                yield child

    def child(self, name: str) -> RawTable | None:
        """Return the table under ``name``. Short forms and defaults are written out, so that options can be set in them."""
        declared = self._declared(name)
        expected = declared or self.member
        value = self.table.get(name, declared.usual if isinstance(declared, Component) else None)
        if value is None and isinstance(declared, Section | TableOf) and not declared.or_none:
            value = {}
        if isinstance(value, str) and (isinstance(expected, Component) or _shares_its_table(expected)):
            value = {"use": value}
        if not isinstance(value, dict) or name in UNTOUCHED:
            return None
        self.table[name] = value
        if isinstance(expected, TableOf):
            return RawTable(value, self.resolve, member=expected.member)
        if isinstance(expected, Component):
            return RawTable(value, self.resolve, self._component(expected.kind, value))
        return RawTable(value, self.resolve, expected.cls if isinstance(expected, Section) else None)

    def assign(self, key: str, value: Any) -> None:
        """Set a key. A new ``use`` replaces the whole socket and drops the old component's options."""
        if key == "use":
            own = options_of(self.cls) if self.cls and inline_of(self.cls) else {}
            for other in [other for other in self.table if other not in own]:
                del self.table[other]
        if isinstance(value, str) and _shares_its_table(self._declared(key) or self.member) and (section := self.child(key)):
            section.assign("use", value)
        else:
            self.table[key] = _copied(value)

    def remove(self, key: str) -> None:
        """Delete a key."""
        del self.table[key]

    def _declared(self, name: str) -> OptionType | None:
        """Return what a key may hold, if a class declares it."""
        return {**self._types(self._inline_class()), **self._types(self.cls)}.get(name)

    def _inline_class(self) -> type | None:
        """Return the class of the component whose options share this table."""
        inline = inline_of(self.cls) if self.cls else None
        expected = types_of(self.cls)[inline.name] if inline and self.cls else None
        return self._component(expected.kind, self.table) if isinstance(expected, Component) else None

    def _component(self, kind: str, table: dict[str, Any]) -> type | None:
        use = table.get("use")
        try:
            return self.resolve(kind, use) if isinstance(use, str) else None
        except GanblocksError:  # strict reading says what is wrong with it
            return None

    @staticmethod
    def _types(cls: type | None) -> dict[str, OptionType]:
        """Return what each key of a class may hold, without its inline socket."""
        fields = [] if cls is None else [(key, field) for key, field in options_of(cls).items() if field is not inline_of(cls)]
        return {key: types_of(cls)[field.name] for key, field in fields} if cls else {}


def _shares_its_table(expected: OptionType | None) -> bool:
    """Return True for a section whose keys share the table with its component's options."""
    return isinstance(expected, Section) and inline_of(expected.cls) is not None


def _copied(value: Any) -> Any:
    """Copy plain containers: one value may be assigned at several paths, and changed at one of them."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
