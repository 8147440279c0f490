"""What an option may hold: a small tree, built once from its annotation and its limits.

Reading, error messages, ``ganblocks show``, the JSON Schema and the strategies of ``ganblocks.testing`` all use this tree.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Union, get_args, get_origin

import attrs
from attrs import evolve, field, frozen

from ganblocks.errors import BrokenPlugin, OptionError
from ganblocks.options.limits import Limits
from ganblocks.options.words import either, joined, shown, suggestion
from ganblocks.schedules import SCHEDULES, as_schedule, values_within

UNREADABLE = object()
"""Stands for a value that could not be read; the reader has noted why."""


class Reader(Protocol):
    """Reads the parts of a value and collects their mistakes. Every method returns UNREADABLE after a mistake."""

    def note(self, where: str, arrived: str, rule: str, hint: str = "") -> object:
        """Add a mistake."""

    def value(self, expected: OptionType, value: Any, path: str) -> Any:
        """Read the value of an option, or of a part of one."""

    def first(self, expected: OneOf, value: Any, path: str) -> Any:
        """Read a value of several types."""

    def instance(self, cls: type, table: Mapping[str, Any], path: str) -> Any:
        """Read an instance of ``cls``."""

    def component(self, expected: Component, value: Any, path: str) -> Any:
        """Read a component that a name or a table with ``use`` describes."""

    def section(self, cls: type, value: Any, path: str) -> Any:
        """Read a section of a recipe."""


@frozen
class OptionType:
    """What an option may hold. ``str()`` says it in words, such as "an integer"."""

    limits: Limits = Limits()
    or_none: bool = field(default=False, kw_only=True)
    """None is accepted too: "not given", which TOML cannot write."""
    words: ClassVar[str] = ""

    def __str__(self) -> str:
        return self.words

    @property
    def range(self) -> str:
        """The limits in words, such as "at least 1"; empty if any value of the type is allowed."""
        return str(self.limits)

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        """Return what ``value`` stands for. Raise OptionError if it is wrong; ``reader`` collects mistakes in its parts."""
        return None if value is None and self.or_none else self._read(value, path, reader)

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        raise NotImplementedError


@frozen
class Plain(OptionType):
    """A number, string, boolean or path. Nothing is converted but an integer where a number is expected."""

    kind: type = str
    """int, float, bool, str or Path."""

    def __str__(self) -> str:
        return _PLAIN[self.kind].words

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        if not isinstance(value, _PLAIN[self.kind].accepted) or (isinstance(value, bool) and self.kind is not bool):
            raise OptionError(f"must be {self}", _fix(self.kind, value))
        if isinstance(value, int | float) and self.kind is not bool:
            self.limits.check(value)
        if self.kind is Path and "\0" in str(value):
            raise OptionError("must be a path, which holds no zero byte")
        return self.kind(value)


class _Words(NamedTuple):
    words: str
    plural: str
    accepted: tuple[type, ...]
    quoted: str = r"(?!)"
    """Pattern of strings that are meant to be such a value."""


_PLAIN: dict[type, _Words] = {
    int: _Words("an integer", "integers", (int,), r"[+-]?\d{1,18}"),
    float: _Words("a number", "numbers", (int, float), r"[+-]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})(e[+-]?\d{1,2})?"),
    bool: _Words("true or false", "booleans", (bool,), r"true|false"),
    str: _Words("a string", "strings", (str,)),
    Path: _Words("a path", "paths", (str, Path)),
}


def _fix(kind: type, value: Any) -> str:
    """Return the hint for a value of another type, if it is clear what was meant."""
    if isinstance(value, str) and re.fullmatch(_PLAIN[kind].quoted, value.strip(), re.ASCII | re.IGNORECASE):
        return f"write it without quotes: {value.strip().lower()}"
    if kind is bool and isinstance(value, int | float) and value in (0, 1):
        return f"write {'true' if value else 'false'}"
    if kind is int and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return f"write {int(value)}"
    return f'put it in quotes: "{shown(value)}"' if kind is str and not isinstance(value, list | tuple | Mapping | None) else ""


@frozen
class Choice(OptionType):
    """One of ``limits.choices``, or the member of ``enum`` with that value. Equal and of the same type: 1 is not true."""

    enum: type[Enum] | None = None

    def __str__(self) -> str:
        return either(shown(choice) for choice in self.limits.choices)

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        if self.enum and isinstance(value, self.enum):
            return value
        for choice in self.limits.choices:
            if type(choice) is type(value) and choice == value:
                return self.enum(choice) if self.enum else choice
        names = [choice for choice in self.limits.choices if isinstance(choice, str)]
        close = difflib.get_close_matches(value[:80].lower(), names, n=1) if isinstance(value, str) else []
        raise OptionError(f"must be {self}", f"did you mean {shown(close[0])}?" if close else "")


@frozen
class ListOf(OptionType):
    """A tuple. ``members`` has the type of each member, or one type for all if ``of_any_length``."""

    members: tuple[OptionType, ...] = ()
    of_any_length: bool = False

    def __str__(self) -> str:
        count = "" if self.of_any_length else f"{len(self.members)} "
        first = self.members[0]
        return f"a list of {count}{_PLAIN[first.kind].plural if isinstance(first, Plain) else 'values'}"

    @property
    def range(self) -> str:
        """The limits of the length and of each member, in words."""
        member = self.members[0]
        limits = f"one of {member}" if isinstance(member, Choice) else member.range
        return " and ".join(filter(None, (self._shortest, limits and f"each {limits}")))

    @property
    def _shortest(self) -> str:
        return f"at least {self.limits.min_items} items" if self.limits.min_items else ""

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        if not isinstance(value, list | tuple):
            raise OptionError(f"must be {self}", "" if isinstance(value, Mapping) else f"write a list: [{shown(value)}]")
        members = self.members * len(value) if self.of_any_length else self.members
        if len(members) != len(value):
            raise OptionError(f"must be {self}", f"this list has {len(value)}")
        if len(value) < self.limits.min_items:
            raise OptionError(f"must have {self._shortest}")
        items = [reader.value(*pair, f"{path}[{i}]") for i, pair in enumerate(zip(members, value, strict=True))]
        return UNREADABLE if any(item is UNREADABLE for item in items) else tuple(items)


@frozen
class TableOf(OptionType):
    """A table with names of the author's own."""

    member: OptionType = OptionType()
    words: ClassVar[str] = "a table"

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        if not isinstance(value, Mapping):
            raise OptionError("must be a table", f"write [{path}], and its keys below")
        items = {key: reader.value(self.member, item, joined(path, key)) for key, item in value.items()}
        return UNREADABLE if any(item is UNREADABLE for item in items.values()) else items


@frozen
class Section(OptionType):
    """A section of a recipe: a nested class."""

    cls: type = object
    words: ClassVar[str] = "a table"

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        return value if isinstance(value, self.cls) else reader.section(self.cls, value, path)


@frozen
class Component(OptionType):
    """A component in a socket."""

    kind: str = ""
    usual: str | None = None
    """Name of the component where nothing is given; None: one must be given."""

    def __str__(self) -> str:
        return f"{self.kind} component"

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        return value if attrs.has(type(value)) else reader.component(self, value, path)


@frozen
class Varying(OptionType):
    """A bare number, or a table whose ``use`` names a schedule. The limits hold for every value that it takes."""

    names: tuple[str, ...] = tuple(SCHEDULES)
    words: ClassVar[str] = "a number or a schedule"

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        if isinstance(value, Mapping):
            value = self._from_table(value, path, reader)
        elif type(value) not in SCHEDULES.values():
            value = as_schedule(Plain(kind=float).read(value, path, reader))
        if value is not UNREADABLE:
            first, *others = values_within(value)
            warms_up = bool(others) and first == 0
            for number in others if warms_up else (first, *others):
                self.limits.check(number)
            evolve(self.limits, above=-math.inf).check(first)
        return value

    def _from_table(self, table: Mapping[str, Any], path: str, reader: Reader) -> Any:
        use = table.get("use")
        if not isinstance(use, str):
            rule = f"a schedule needs use, one of {', '.join(self.names)}"
            raise OptionError(rule, 'write a bare number, or { use = "linear", … }')
        if use not in self.names:
            return reader.note(joined(path, "use"), shown(use), "no such schedule here", suggestion(use, self.names))
        return reader.instance(SCHEDULES[use], {key: item for key, item in table.items() if key != "use"}, path)


@frozen
class OneOf(OptionType):
    """A value of any of several types."""

    members: tuple[OptionType, ...] = ()

    def __str__(self) -> str:
        return either(dict.fromkeys(map(str, self.members)))

    @property
    def range(self) -> str:
        """The limits of all types, in words."""
        return " and ".join(filter(None, dict.fromkeys(member.range for member in self.members)))

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        return reader.first(self, value, path)


class Anything(OptionType):
    """Any plain value."""

    words = "any value"

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        return value


@frozen
class Foreign(OptionType):
    """A type that no recipe can fill. Such an option keeps its default."""

    hint: Any = None

    def __str__(self) -> str:
        return str(self.hint)

    def _read(self, value: Any, path: str, reader: Reader) -> Any:
        raise BrokenPlugin(f"no recipe can fill {path}, which is of type {self.hint}")


def option_type(hint: Any, limits: Limits) -> OptionType:
    """Return what an option of this annotation and with these limits may hold."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType) and NoneType in arguments:
        others = tuple(member for member in arguments if member is not NoneType)
        return evolve(option_type(Union[others], limits), or_none=True)  # noqa: UP007  # made at run time
    members = arguments if origin in (Union, UnionType) else (hint,)
    names = tuple(name for name, cls in SCHEDULES.items() if cls in members)
    if len(names) == len(members):
        return Varying(limits, names)
    if len(members) > 1:
        return OneOf(limits, tuple(option_type(member, limits) for member in members))
    if origin is tuple:
        types = tuple(option_type(member, limits) for member in arguments if member is not Ellipsis)
        return ListOf(limits, types, Ellipsis in arguments)
    if origin is dict:
        return TableOf(limits, option_type(arguments[1], limits))
    if attrs.has(hint):
        return Section(limits, hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Choice(Limits(choices=tuple(member.value for member in hint)), hint)
    if origin is Literal or limits.choices:
        return Choice(Limits(choices=arguments if origin is Literal else limits.choices))
    if hint in _PLAIN:
        return Plain(limits, hint)
    return Anything() if hint is Any else Foreign(limits, hint)
