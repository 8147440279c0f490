"""Plain values (as TOML gives them) -> a frozen class, strictly, with every mistake at once.

A mistake in one field hides none in another: each is read by itself, then every validator runs on a draft of the instance.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import NoneType
from typing import Any

import attrs
from attrs import field, frozen

from ganblocks.errors import (
    AmbiguousComponent,
    BrokenPlugin,
    GanblocksError,
    Mistake,
    OptionError,
    RecipeError,
    UnknownComponent,
)
from ganblocks.options.draft import broken_rules
from ganblocks.options.fields import DEFAULT, PLUGIN_DEFAULT, inline_of, key_of, options_of, types_of
from ganblocks.options.types import UNREADABLE, Component, OneOf, OptionType, Section
from ganblocks.options.words import escaped, joined, shown, suggestion
from ganblocks.options.write import plain
from ganblocks.origins import Origin, remember
from ganblocks.schedules import SCHEDULES

Resolve = Callable[[str, str], type]
"""(kind, name) -> the component's class. Raises UnknownComponent, AmbiguousComponent or BrokenPlugin."""

DEEPEST = 32
"""Components inside components: more is a mistake (such as a default that names itself)."""


def structure(cls: type, options: Mapping[str, Any], path: str, resolve: Resolve) -> Any:
    """Create ``cls`` from plain values.

    Args:
        cls: an attrs class: a component, or a section of a recipe.
        options: by name; strings, numbers, booleans, lists and mappings. Sockets take a name, a mapping with ``use`` and the
            options, or a component.
        path: dotted path of ``options``, for messages; empty for a whole recipe.
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
    """Reads values and collects mistakes. Every method returns the value, or UNREADABLE after noting why."""

    resolve: Resolve
    mistakes: list[Mistake] = field(factory=list)

    def note(self, where: str, arrived: str, rule: str, hint: str = "") -> object:
        self.mistakes.append(Mistake(where, arrived, rule, hint))
        return UNREADABLE

    # classes

    def instance(self, cls: type, table: Mapping[str, Any], path: str, neighbours: Collection[str] = ()) -> Any:
        """Read an instance of ``cls``. ``neighbours`` are keys of its section in the same table."""
        before, inline = len(self.mistakes), inline_of(cls)
        own = {key: attribute for key, attribute in options_of(cls).items() if attribute is not inline}
        rest = {key: value for key, value in table.items() if key not in own}
        values = {
            key: self._option(cls, attribute, table, joined(path, key))
            for key, attribute in own.items()
            if key in table or attribute.default is attrs.NOTHING
        }
        if inline is not None:
            given, expected = rest.get(key_of(inline)), types_of(cls)[inline.name]
            assert isinstance(expected, Component), "an inline socket is a socket"
            values[key_of(inline)] = given if attrs.has(type(given)) else self._table(expected, rest, path, own)
        else:
            self._refuse_unknown(rest, [*own, *neighbours], values, path)
        for attribute, value, error in broken_rules(cls, values):
            rule, hint = _rule_of(error, key_of(attribute))
            self.note(joined(path, key_of(attribute)), _arrived(value), rule, hint or _default_hint(attribute))
        if len(self.mistakes) > before:
            return UNREADABLE
        try:
            return cls(**values)
        except (ValueError, TypeError, GanblocksError) as error:
            return self.note(path, "", *_rule_of(error))

    def _option(self, cls: type, attribute: attrs.Attribute[Any], table: Mapping[str, Any], path: str) -> Any:
        """Read a field that is given, or note that it is required."""
        key, before, expected = key_of(attribute), len(self.mistakes), types_of(cls)[attribute.name]
        if key in table or isinstance(expected, Component):
            result = self.value(expected, table.get(key, attribute.metadata.get(DEFAULT)), path)
        else:
            how = f"write [{path}], and its keys below" if isinstance(expected, Section) else f"add {key} = …"
            result = self.note(path, "", f"is required: {expected}", how)
        for index, mistake in enumerate(self.mistakes[before:], before):
            if not mistake.hint and mistake.where.partition("[")[0] == path.partition("[")[0]:
                self.mistakes[index] = attrs.evolve(mistake, hint=_default_hint(attribute))
        return result

    def _refuse_unknown(self, rest: Mapping[str, Any], known: list[str], values: Mapping[str, Any], path: str) -> None:
        parts = {name: options_of(type(part)) for name, part in values.items() if attrs.has(type(part))}
        for key, value in rest.items():
            owner = next((joined(path, name) for name, options in parts.items() if key in options), "")
            hint = f"it is an option of {owner}" if owner else suggestion(key, known) or "nothing can be set here"
            self.note(joined(path, key), shown(value), "unknown key", hint)

    def section(self, cls: type, value: Any, path: str) -> Any:
        """Read a section; the name alone will do for one whose component shares its table."""
        if isinstance(value, str) and inline_of(cls) is not None:
            value = {"use": value}
        if not isinstance(value, Mapping):
            raise OptionError("must be a table", f"write [{path}], and its keys below")
        return self.instance(cls, value, path)

    # components in sockets

    def component(self, expected: Component, value: Any, path: str) -> Any:
        """Read a component that a name or a table with ``use`` describes."""
        kind = expected.kind
        if expected.or_none and value in ("none", {"use": "none"}):
            return None
        if isinstance(value, str):
            return self._named(kind, value, {}, path, path)
        if isinstance(value, Mapping):
            return self._table(expected, value, path)
        rule = f"is required: {_a(kind)}" if value is None else f"must be {_a(kind)}"
        hint = f'write the name of {_a(kind)} ("…"), or a table with use; see: ganblocks list {kind}'
        return self.note(path, "" if value is None else shown(value), rule, hint)

    def _table(self, expected: Component, table: Mapping[str, Any], path: str, neighbours: Collection[str] = ()) -> Any:
        """Read a component from ``use`` and the options beside it."""
        where, named = joined(path, "use"), f'"…", the name of {_a(expected.kind)}'
        usually = f'"{expected.usual}", the default here' if expected.usual else named
        see = f"see: ganblocks list {expected.kind}"
        if "use" not in table:
            return self.note(path, "", "needs use", f"add use = {usually}; {see}")
        if not isinstance(table["use"], str):
            return self.note(where, shown(table["use"]), "must be a string", f"write use = {named}; {see}")
        options = {key: value for key, value in table.items() if key != "use"}
        return self._named(expected.kind, table["use"], options, path, where, neighbours)

    def _named(
        self, kind: str, name: str, options: Mapping[str, Any], path: str, where: str, neighbours: Collection[str] = ()
    ) -> Any:
        """Read a component by name; ``where`` is the path of the name itself."""
        if path.count(".") > DEEPEST:
            return self.note(path, shown(name), f"components must not nest deeper than {DEEPEST}")
        try:
            cls = self.resolve(kind, name)
            if clash := set(neighbours) & set(options_of(cls)):
                rule = f"cannot be used here: the section keeps {', '.join(sorted(clash))} for itself"
                raise BrokenPlugin(rule, "rename the component's option")
            component = self.instance(cls, options, path, neighbours)
        except (UnknownComponent, AmbiguousComponent, BrokenPlugin) as error:
            return self.note(where, shown(name), error.rule, error.hint)
        if component is not UNREADABLE and name != PLUGIN_DEFAULT:  # a run folder says which component that was
            remember(component, Origin(kind, name))
        return component

    # values

    def value(self, expected: OptionType, value: Any, path: str) -> Any:
        """Read the value of an option, or of a part of one."""
        try:
            return expected.read(value, path, self)
        except OptionError as error:
            return self.note(path, _arrived(value), error.rule, error.hint)

    def first(self, expected: OneOf, value: Any, path: str) -> Any:
        """Read a value of several types; if none accepts it, note the mistakes of the type that was probably meant."""
        attempts = []
        for member in expected.members:
            attempt = _Reader(self.resolve)
            result = attempt.value(member, value, path)
            if not attempt.mistakes:
                return result
            other_type = all((mistake.where, mistake.rule) == (path, f"must be {member}") for mistake in attempt.mistakes)
            attempts.append((other_type, attempt.mistakes))
        meant = [mistakes for other_type, mistakes in attempts if not other_type]
        if len(meant) != 1:
            hints = (mistake.hint for _, mistakes in attempts for mistake in mistakes if mistake.hint)
            raise OptionError(f"must be {expected}", next(hints, ""))
        self.mistakes.extend(meant[0])
        return UNREADABLE


def mistake_of(expected: OptionType, value: Any) -> Mistake | None:
    """Return what is wrong with a value in Python: it must be what reading returns, a tuple and not a list."""
    reader = _Reader(lambda kind, name: NoneType)
    result = reader.value(expected, value, "")
    if not reader.mistakes and result != value:
        reader.note("", _arrived(value), f"must be a {type(result).__name__}")
    return next(iter(reader.mistakes), None)


def _rule_of(error: Exception, option: str = "") -> tuple[str, str]:
    """Return the rule and the hint of a validator's error; attrs' own begin with the option's name."""
    if isinstance(error, GanblocksError):
        return error.rule, error.hint
    return escaped(str(error.args[0] if error.args else error)).removeprefix(f"'{option}' "), ""


def _a(kind: str) -> str:
    """Return a kind with its article."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind.replace('_', ' ')}"


def _arrived(value: Any) -> str:
    """Return a value that was read, as its author wrote it; nothing for components and tables of them."""
    parts = value.values() if isinstance(value, Mapping) else [value]
    if any(attrs.has(type(part)) and type(part) not in SCHEDULES.values() for part in parts):
        return ""
    return shown(plain(value))


def _default_hint(attribute: attrs.Attribute[Any]) -> str:
    """Return the hint that always helps where there is a default: leave the option out."""
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return "it has no default: choose another value"
    unspoken = default is None or isinstance(default, attrs.Factory)  # type: ignore[arg-type]  # a class, whatever its stub says
    return "leave it out" if unspoken else f"leave it out for the default, {shown(plain(default))}"
