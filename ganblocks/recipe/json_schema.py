"""The JSON Schema of a recipe: with it editors and ``check-jsonschema`` refuse what the reader refuses.

A schema cannot say everything: rules between several options are left to the reader, and so is that 3.0 is no integer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from attrs import field, frozen

from ganblocks.errors import BrokenPlugin
from ganblocks.options.docs import option_docs, summary_of
from ganblocks.options.fields import PLUGIN_DEFAULT, default_of, inline_of, options_of, types_of
from ganblocks.options.types import Anything, Choice, Component, ListOf, OneOf, OptionType, Plain, Section, TableOf, Varying
from ganblocks.options.write import plain
from ganblocks.recipe.schema import NAME, Recipe
from ganblocks.registry import Offer, Registry
from ganblocks.schedules import SCHEDULES

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {int: "integer", float: "number", bool: "boolean"}
_NO_USE: Schema = {"not": {"required": ["use"]}}
_NOTHING: Schema = {"type": "object", "properties": {"use": {"enum": ["none"]}}, "additionalProperties": False}
"""The table that leaves an optional socket empty."""


def recipe_schema(registry: Registry) -> Schema:
    """Return the JSON Schema (draft 2020-12) of a recipe with the components of a registry.

    A recipe that extends another may leave out whatever the other says; in any other, required keys are required.
    """
    whole = _Writer(registry)
    part = attrs.evolve(whole, partial=True)
    extends = {"type": "string", "description": "A recipe in the same folder; this one says the differences."}
    branches = {"else": whole.define("Recipe", lambda: whole.table(Recipe))}
    branches["then"] = part.define("Recipe", lambda: part.table(Recipe, {"extends": extends}))
    head = {"$schema": DIALECT, "title": "A recipe of ganblocks", "type": "object", "if": {"required": ["extends"]}}
    return {**head, **branches, "$defs": dict(sorted(whole.definitions.items()))}


def schema_text(registry: Registry) -> str:
    """Return :func:`recipe_schema` as JSON, with each definition on a line of its own."""
    schema = recipe_schema(registry)
    definitions = schema.pop("$defs")
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(part, ensure_ascii=False)}" for name, part in definitions.items())
    head = json.dumps(schema, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{head},\n "$defs": {{\n{lines}\n }}\n}}\n'


@frozen(eq=False)
class _Writer:
    """Writes schemas and keeps the parts that are used more than once. ``partial``: nothing is required."""

    registry: Registry
    definitions: dict[str, Schema] = field(factory=dict)
    partial: bool = False

    def define(self, name: str, make: Callable[[], Schema]) -> Schema:
        """Return a reference to a definition, made on first use. A partial one that equals the whole one is dropped."""
        own = f"{name}.part" if self.partial else name
        if own not in self.definitions:
            self.definitions[own] = {}  # a component may hold others of its kind
            self.definitions[own] = make()
        if self.partial and self.definitions[own] == self.definitions.get(name):
            del self.definitions[own]
            own = name
        return {"$ref": f"#/$defs/{own}"}

    # values

    def value(self, expected: OptionType) -> Schema:
        """Return the schema of an option's value."""
        match expected:
            case Plain():
                return {"type": _TYPES.get(expected.kind, "string"), **_bounds(expected)}
            case Choice():
                return {"enum": list(expected.limits.choices)}
            case OneOf():
                return {"anyOf": [self.value(member) for member in expected.members]}
            case Varying():
                return self._schedule(expected)
            case ListOf():
                return self._list(expected)
            case TableOf():
                return self._table_of(expected.member)
            case Section():
                return self.section(expected.cls)
            case Component():
                return self.component(expected)
        return {} if isinstance(expected, Anything) else {"not": {}}

    def _list(self, expected: ListOf) -> Schema:
        members = [self.value(member) for member in expected.members]
        if expected.of_any_length:
            return {"type": "array", "items": members[0], "minItems": expected.limits.min_items}
        return {"type": "array", "prefixItems": members, "items": False, "minItems": len(members)}

    def _table_of(self, member: OptionType) -> Schema:
        """Return the schema of a table with names of the author's own."""
        if isinstance(member, Anything):  # changes of an ablation: paths with dots, or keys of the recipe itself
            return {"type": "object", "patternProperties": {r"^[^.]*$": {"not": {"type": "object"}}}}
        table = {"type": "object", "additionalProperties": self.value(member)}
        if not isinstance(member, Section):
            return table
        named = self._terms(member.cls) if inline_of(member.cls) and not self.partial else {}
        return {**table, "properties": named, "propertyNames": {"pattern": f"^{NAME.pattern}$"}}

    def _terms(self, cls: type) -> Schema:
        """Without ``use``, ``[penalties.r1]`` is an r1."""
        offers = [(offer, component) for offer, component in self.offers(_inline(cls).kind) if offer.name in self.names(offer)]
        unused = {"type": "object", **_NO_USE}
        return {
            offer.name: {"if": unused, "then": self.offered(offer, component, cls), "else": self.section(cls)}
            for offer, component in offers
        }

    def _schedule(self, expected: Varying) -> Schema:
        """Return the schema of a number or a schedule within limits."""
        limits = "".join(f".{keyword}.{value:g}" for keyword, value in _bounds(expected).items())
        if self.partial:
            return {"type": ["number", "object"], **_bounds(expected)}
        return self.define(f"{'.'.join(expected.names)}{limits}", lambda: self._number_or_table(expected))

    def _number_or_table(self, expected: Varying) -> Schema:
        table = _by_use([([name], self._schedule_table(name, expected)) for name in expected.names])
        return {"type": ["number", "object"], **_bounds(expected), "if": {"type": "object"}, "then": table}

    def _schedule_table(self, name: str, expected: Varying) -> Schema:
        number = self.value(Plain(expected.limits, float))
        start: Schema = {"anyOf": [number, {"enum": [0]}]} if math.isfinite(expected.limits.above) else number
        table = self.table(SCHEDULES[name], {"use": {"enum": [name]}})
        limited = {"value": number, "end": number, "start": start}
        if "then" in table["properties"]:  # a warm-up, to any other schedule
            limited["then"] = self._schedule(
                Varying(expected.limits, tuple(other for other in expected.names if other != name))
            )
        own = {key: {**schema, **limited.get(key, {})} for key, schema in table["properties"].items()}
        return {**table, "properties": own}

    # components and sections

    def section(self, cls: type) -> Schema:
        """Return the schema of a section, whose component may share its table."""
        return self.component(_inline(cls), cls) if inline_of(cls) else self.define(cls.__name__, lambda: self.table(cls))

    def component(self, expected: Component, section: type | None = None) -> Schema:
        """Return the schema of a socket: the name of a component, or a table with ``use``."""
        name = section.__name__ if section else f"{expected.kind}.or_none" if expected.or_none else expected.kind
        return self.define(name, lambda: self._socket(expected, section))

    def _socket(self, expected: Component, section: type | None) -> Schema:
        offers = self.offers(expected.kind)
        cases = [(self.names(offer), self.offered(offer, cls, section)) for offer, cls in offers]
        bare = [name for offer, cls in offers if self.partial or not _required(cls) for name in self.names(offer)]
        if expected.or_none:
            cases, bare = [*cases, (["none"], _NOTHING)], [*bare, "none"]
        table = _by_use(cases)
        if self.partial:
            table = {"if": _NO_USE, "then": {"anyOf": [case for _, case in cases]}, "else": table}
        head = {"title": f"{expected.kind} component", "type": ["string", "object"]}
        return {**head, "if": {"type": "string"}, "then": {"enum": bare}, "else": table}

    def offered(self, offer: Offer, cls: type, section: type | None) -> Schema:
        """Return the schema of a component's table; it does not require ``use``."""
        use = {"use": {"enum": self.names(offer), "description": summary_of(cls)}}
        name = f"{section.__name__ if section else offer.kind}.{self.registry.short_name(offer)}"
        return self.define(name, lambda: self.table(cls, use | (self.properties(section) if section else {})))

    def offers(self, kind: str) -> list[tuple[Offer, type]]:
        """Return the components of a kind that can be imported."""
        return [(offer, cls) for offer in self.registry.offers(kind) if (cls := _resolved(offer)) is not None]

    def names(self, offer: Offer) -> list[str]:
        """Return the names by which a recipe can mean an offer."""
        former = [f"{owner}:{offer.name}" for owner in offer.former_owners]
        usual = [PLUGIN_DEFAULT] if offer in self.registry.defaults(offer.kind)[:1] else []
        return list(dict.fromkeys((self.registry.short_name(offer), offer.full_name, *former, *usual)))

    def table(self, cls: type, others: Mapping[str, Schema] | None = None) -> Schema:
        """Return the schema of a table with the options of a class, and others."""
        required = {"required": keys} if (keys := [] if self.partial else _required(cls)) else {}
        properties = {**(others or {}), **self.properties(cls)}
        head = {"title": cls.__name__, "description": summary_of(cls), "type": "object"}
        return {**head, **required, "properties": properties, "additionalProperties": False}

    def properties(self, cls: type) -> dict[str, Schema]:
        """Return the schema of each option of a class, but for its inline socket."""
        docs, types = option_docs(cls), types_of(cls)
        own = {key: attribute for key, attribute in options_of(cls).items() if attribute is not inline_of(cls)}
        return {key: _annotated(self.value(types[field.name]), docs.get(key, ""), field) for key, field in own.items()}


def _by_use(cases: list[tuple[list[str], Schema]]) -> Schema:
    """Return the schema of a table whose ``use`` decides what else it may hold."""
    known = [name for names, _ in cases for name in names]
    then = [{"if": {"properties": {"use": {"enum": names}}, "required": ["use"]}, "then": case} for names, case in cases]
    return {"properties": {"use": {"enum": known}}, "required": ["use"], "allOf": then}


def _inline(section: type) -> Component:
    attribute = inline_of(section)
    component = types_of(section)[attribute.name] if attribute else None
    assert isinstance(component, Component), "a section with a component in its table has an inline socket"
    return component


def _resolved(offer: Offer) -> type | None:
    try:
        return offer.resolve()
    except BrokenPlugin:
        return None


def _required(cls: type) -> list[str]:
    """Return the keys that a table must have: fields without a default."""
    usual = {name for name, expected in types_of(cls).items() if isinstance(expected, Component) and expected.usual}
    inline = inline_of(cls)
    fields = [(key, attribute) for key, attribute in options_of(cls).items() if attribute is not inline]
    return [key for key, attribute in fields if attribute.default is attrs.NOTHING and attribute.name not in usual]


def _bounds(expected: OptionType) -> Schema:
    return {bound.keyword: value for bound, value in expected.limits.bounds()}


def _annotated(schema: Schema, doc: str, attribute: attrs.Attribute[Any]) -> Schema:
    """Add the description and the default of an option."""
    value = default_of(attribute)
    unsaid = value is None or value is attrs.NOTHING or attrs.has(type(value)) or value == {}
    return {**({"description": doc} if doc else {}), **schema, **({} if unsaid else {"default": plain(value)})}
