"""Plain values (as TOML gives them) -> a frozen class, strictly, with every mistake at once.

What a field takes follows from its type and metadata: an option, a schedule, a socket, or a nested section. A mistake in one
field hides none in another: each is read by itself, then every validator runs on a draft of the instance.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import Enum
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin

import attrs
from attrs import field, frozen

from ganblocks.errors import AmbiguousComponent, BrokenPlugin, GanblocksError, Mistake, RecipeError, UnknownComponent
from ganblocks.options.draft import UNREADABLE, broken_rules
from ganblocks.options.fields import hints_of, inline_of, key_of, options_of
from ganblocks.options.plain import READERS, Wrong, read_choice, read_enum
from ganblocks.options.words import is_schedule, is_union, joined, nearest, rule_of, shown, type_words
from ganblocks.options.write import plain
from ganblocks.origins import Origin, remember
from ganblocks.schedules import SCHEDULES, as_schedule
from ganblocks.sockets import DEFAULT, socket_kind

Resolve = Callable[[str, str], type]
"""(kind, name) -> the component's class. Raises UnknownComponent, AmbiguousComponent or BrokenPlugin."""

DEEPEST = 32
"""Components inside components: more is a mistake (such as a default that names itself)."""


def structure(cls: type, options: Mapping[str, Any], path: str, resolve: Resolve) -> Any:
    """Create ``cls`` from plain values.

    Args:
        cls: an attrs class: a component, or a section of a recipe.
        options: by name; strings, numbers, booleans, lists and mappings. Sockets take a name, a mapping with ``use`` and the
            options, or a component that already stands.
        path: dotted place of ``options``, for messages; empty for a whole recipe.
        resolve: finds the classes that sockets name.

    Raises:
        RecipeError: with every mistake.

    """
    reader = _Reader(resolve)
    result = reader.instance(cls, options, path)
    if reader.mistakes:
        raise RecipeError(reader.mistakes)
    return result


@frozen(eq=False)
class _Reader:
    """Reads values and keeps the mistakes. Every method returns the value, or UNREADABLE after noting why."""

    resolve: Resolve
    mistakes: list[Mistake] = field(factory=list)

    def note(self, where: str, arrived: str, rule: str, hint: str = "") -> object:
        self.mistakes.append(Mistake(where, arrived, rule, hint))
        return UNREADABLE

    # classes

    def instance(self, cls: type, table: Mapping[str, Any], path: str, neighbours: Collection[str] = ()) -> Any:
        """An instance of ``cls``. ``neighbours`` are keys that its section keeps for itself in the same table."""
        before = len(self.mistakes)
        hints, inline = hints_of(cls), inline_of(cls)
        own, rest = _split(cls, table)
        values: dict[str, Any] = {}
        for key, attribute in options_of(cls).items():
            if attribute is inline:
                values[key] = self._inline(cls, attribute, rest, path)
            elif key in own or attribute.default is attrs.NOTHING:
                values[key] = self._option(attribute, hints[attribute.name], own, joined(path, key))
        if inline is None:
            self._refuse_unknown(rest, cls, values, path, neighbours)
        for attribute, value, error in broken_rules(cls, values):
            rule, _, fix = rule_of(error, attribute.name).partition("; ")
            self.note(joined(path, key_of(attribute)), _arrived(value), rule, fix or _default_hint(attribute))
        if len(self.mistakes) > before:
            return UNREADABLE
        try:
            return cls(**values)
        except (ValueError, TypeError, GanblocksError) as error:
            return self.note(path, "", rule_of(error, ""))

    def _option(self, attribute: attrs.Attribute[Any], hint: Any, table: Mapping[str, Any], path: str) -> Any:
        """The value of one field that is present, or that must be asked for because it has no default of its own."""
        key, kind, before = key_of(attribute), socket_kind(attribute), len(self.mistakes)
        if kind is not None:
            usual = attribute.metadata[DEFAULT]
            result = self._socket(kind, table.get(key, usual), path, NoneType in get_args(hint), usual)
        elif key in table:
            result = self.value(hint, table[key], path)
        else:
            how = f"write [{path}], and its keys below" if attrs.has(hint) else f"add {key} = …"
            result = self.note(path, "", f"is required: {type_words(hint)}", how)
        for index, mistake in enumerate(self.mistakes[before:], before):
            if not mistake.hint and mistake.where.partition("[")[0] == path.partition("[")[0]:
                self.mistakes[index] = attrs.evolve(mistake, hint=_default_hint(attribute))
        return result

    def _refuse_unknown(
        self, rest: Mapping[str, Any], cls: type, values: Mapping[str, Any], path: str, neighbours: Collection[str]
    ) -> None:
        known = [*options_of(cls), *neighbours]
        for key, value in rest.items():
            owners = [
                joined(path, name) for name, part in values.items() if attrs.has(type(part)) and key in options_of(type(part))
            ]
            hint = f"it is an option of {owners[0]}" if owners else nearest(key, known) or "nothing can be set here"
            self.note(joined(path, key), shown(value), "unknown key", hint)

    # components in sockets

    def _socket(self, kind: str, value: Any, path: str, optional: bool, usual: str | None) -> Any:
        """What fills a socket: a name, a table with ``use``, or a component. ``usual`` fills it where nothing is said."""
        if optional and (value is None or value in ("none", {"use": "none"})):
            return None
        if attrs.has(type(value)):
            return value
        if isinstance(value, str):
            return self._component(kind, value, {}, path, path)
        if isinstance(value, Mapping):
            return self._table(kind, value, path, usual=usual)
        rule = f"is required: {_a(kind)}" if value is None else f"must be {_a(kind)}"
        hint = f'write the name of {_a(kind)} ("…"), or a table with use; see: ganblocks list {kind}'
        return self.note(path, "" if value is None else shown(value), rule, hint)

    def _table(
        self, kind: str, table: Mapping[str, Any], path: str, neighbours: Collection[str] = (), usual: str | None = None
    ) -> Any:
        """A component from ``use`` and the options beside it."""
        named, see = f'"…", the name of {_a(kind)}', f"see: ganblocks list {kind}"
        usually = f'"{usual}", which stands here by default' if usual else named
        where = joined(path, "use")
        if "use" not in table:
            return self.note(path, "", "needs use", f"add use = {usually}; {see}")
        if not isinstance(table["use"], str):
            return self.note(where, shown(table["use"]), "must be a string", f"write use = {named}; {see}")
        return self._component(kind, table["use"], _without_use(table), path, where, neighbours)

    def _component(
        self, kind: str, name: str, options: Mapping[str, Any], path: str, where: str, neighbours: Collection[str] = ()
    ) -> Any:
        """A component by name; ``where`` is the place of the name itself."""
        if path.count(".") > DEEPEST:
            return self.note(path, shown(name), f"components must not nest deeper than {DEEPEST}")
        try:
            cls = self.resolve(kind, name)
            if clash := set(neighbours) & set(options_of(cls)):
                raise BrokenPlugin(
                    f"cannot stand here: the section keeps {', '.join(sorted(clash))} for itself; rename the option"
                )
            component = self.instance(cls, options, path, neighbours)
        except (UnknownComponent, AmbiguousComponent, BrokenPlugin) as error:
            rule, _, hint = str(error).partition("; ")
            return self.note(where, shown(name), rule, hint)
        if component is not UNREADABLE:
            remember(component, Origin(kind, name))
        return component

    def _inline(self, cls: type, attribute: attrs.Attribute[Any], table: Mapping[str, Any], path: str) -> Any:
        """The component whose options stand among the section's keys, or one that was given under the field's own name."""
        if attrs.has(type(table.get(key_of(attribute)))):
            return table[key_of(attribute)]
        kind = socket_kind(attribute)
        assert kind is not None, "an inline socket is a socket"
        return self._table(kind, table, path, [key for key in options_of(cls) if key != key_of(attribute)])

    # values

    def value(self, hint: Any, value: Any, path: str) -> Any:
        """A value of the type ``hint``."""
        try:
            return self._value(hint, value, path)
        except Wrong as wrong:
            return self.note(path, shown(value), wrong.rule, wrong.hint)

    def _value(self, hint: Any, value: Any, path: str) -> Any:
        origin = get_origin(hint)
        if hint is Any:
            return value
        if is_schedule(hint):
            return self._schedule(hint, value, path)
        if is_union(hint):
            return self._union(hint, value, path)
        if origin is Literal:
            return read_choice(value, get_args(hint))
        if origin is tuple:
            return self._tuple(hint, value, path)
        if origin is dict:
            return self._mapping(get_args(hint)[1], value, path)
        if attrs.has(hint):
            return self._section(hint, value, path)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return read_enum(value, hint)
        if hint in READERS:
            return READERS[hint](value)
        raise BrokenPlugin(f"no recipe can fill {path}, which is of type {hint}")

    def _union(self, hint: Any, value: Any, path: str) -> Any:
        """The first member that takes the value; where none does, the mistakes of the one that was probably meant."""
        members = [member for member in get_args(hint) if member is not NoneType]
        if len(members) < len(get_args(hint)):
            return None if value is None else self._value(Union[tuple(members)], value, path)  # noqa: UP007  # made at run time
        attempts = []
        for member in members:
            attempt = _Reader(self.resolve)
            result = attempt.value(member, value, path)
            if not attempt.mistakes:
                return result
            attempts.append(attempt.mistakes)
        meant = [found for found in attempts if any(mistake.where != path for mistake in found)]
        if len(meant) != 1:
            raise Wrong(f"must be {type_words(hint)}", next((m.hint for found in attempts for m in found if m.hint), ""))
        self.mistakes.extend(meant[0])
        return UNREADABLE

    def _tuple(self, hint: Any, value: Any, path: str) -> Any:
        first, *others = get_args(hint)
        if not isinstance(value, list | tuple):
            raise Wrong(f"must be {type_words(hint)}", "" if isinstance(value, Mapping) else f"write a list: [{shown(value)}]")
        types = [first] * len(value) if others == [Ellipsis] else [first, *others]
        if len(types) != len(value):
            raise Wrong(f"must be {type_words(hint)}", f"this list has {len(value)}")
        items = [self.value(each, item, f"{path}[{i}]") for i, (each, item) in enumerate(zip(types, value, strict=True))]
        return UNREADABLE if any(item is UNREADABLE for item in items) else tuple(items)

    def _mapping(self, hint: Any, value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            raise Wrong("must be a table", f"write [{path}], and its keys below")
        items = {key: self.value(hint, item, joined(path, key)) for key, item in value.items()}
        return UNREADABLE if any(item is UNREADABLE for item in items.values()) else items

    def _section(self, cls: type, value: Any, path: str) -> Any:
        """A nested class: a section of a recipe."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and inline_of(cls) is not None:
            value = {"use": value}
        if not isinstance(value, Mapping):
            raise Wrong("must be a table", f"write [{path}], and its keys below")
        return self.instance(cls, value, path)

    def _schedule(self, hint: Any, value: Any, path: str) -> Any:
        """A bare number, or a table whose ``use`` names a schedule."""
        names = [name for name, cls in SCHEDULES.items() if cls in (get_args(hint) or (hint,))]
        if type(value) in SCHEDULES.values():
            return value
        if not isinstance(value, Mapping):
            return as_schedule(READERS[float](value))
        use = value.get("use")
        if not isinstance(use, str):
            raise Wrong(f"a schedule needs use, one of {', '.join(names)}", 'write a bare number, or { use = "linear", … }')
        if use not in names:
            return self.note(joined(path, "use"), shown(use), "no such schedule here", nearest(use, names))
        return self.instance(SCHEDULES[use], _without_use(value), path)


def _split(cls: type, table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys that are fields of ``cls`` (an inline socket is none), and all others."""
    inline = inline_of(cls)
    names = {key for key, attribute in options_of(cls).items() if attribute is not inline}
    own = {key: value for key, value in table.items() if key in names}
    return own, {key: value for key, value in table.items() if key not in names}


def _without_use(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "use"}


def _a(kind: str) -> str:
    """A kind with its article."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind.replace('_', ' ')}"


def _arrived(value: Any) -> str:
    """A value that was read, as its author wrote it; nothing for components and tables of them."""
    parts = value.values() if isinstance(value, Mapping) else [value]
    if any(attrs.has(type(part)) and type(part) not in SCHEDULES.values() for part in parts):
        return ""
    return shown(plain(value))


def _default_hint(attribute: attrs.Attribute[Any]) -> str:
    """What can always be done where there is a default: leave the option out."""
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return "it has no default: choose another value"
    unspoken = default is None or isinstance(default, attrs.Factory)  # type: ignore[arg-type]  # a class, whatever its stub says
    return "leave it out" if unspoken else f"leave it out for the default, {shown(plain(default))}"
