"""What an option may hold: a small tree, built once from its annotation and its limits.

Reading, error messages, ``ganblocks show``, the JSON Schema and the strategies of ``ganblocks.testing`` all use this tree.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Protocol, Union, get_args, get_origin

import attrs
from attrs import evolve, frozen

from ganblocks.errors import BrokenPlugin, OptionError
from ganblocks.options.limits import Limits
from ganblocks.options.words import either, joined, shown, suggestion
from ganblocks.schedules import SCHEDULES, as_schedule, values_within

UNREADABLE = object()
"""Stands for a value that could not be read; the reader has noted why."""


class Reader(Protocol):
    """Reads the parts of a value and collects their mistakes. Every method returns UNREADABLE after a mistake."""

    def note(self, where: str, arrived: str, rule: str, hint: str) -> object: ...
    def value(self, expected: OptionType, value: Any, path: str) -> Any: ...
    def first(self, expected: OneOf, value: Any, path: str) -> Any: ...
    def instance(self, cls: type, table: Mapping[str, Any], path: str) -> Any: ...
    def section(self, cls: type, value: Any, path: str) -> Any: ...


@frozen
class OptionType:
    """What an option may hold. ``str()`` says it in words, such as "an integer"."""

    limits: Limits = Limits()
    words: ClassVar[str] = ""
    plural: ClassVar[str] = "values"

    def __str__(self) -> str:
        return self.words

    @property
    def range(self) -> str:
        """The limits in words, such as "at least 1"; empty if any value of the type is allowed."""
        return str(self.limits)

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        """Return the value of a plain one. Raise OptionError if it is wrong; mistakes in its parts go to the reader."""
        raise NotImplementedError


class Number(OptionType):
    """A finite number; an integer is one."""

    words, plural = "a number", "numbers"

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise OptionError("must be a number", _unquoted(value, int, float))
        if (isinstance(value, int) and value.bit_length() > 63) or not math.isfinite(value):
            raise OptionError("must be a finite number")
        self.limits.check(value)
        return float(value)


class Integer(OptionType):
    """An integer of 64 bits; never a boolean, a float or a string."""

    words, plural = "an integer", "integers"

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
            raise OptionError("must be an integer", f"write {int(value)}" if whole else _unquoted(value, int))
        if value.bit_length() > 63:
            raise OptionError("must be an integer of at most 64 bits", "write a smaller number")
        self.limits.check(value)
        return int(value)


class Flag(OptionType):
    """``true`` or ``false``."""

    words, plural = "true or false", "booleans"

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false"):
            raise OptionError("must be true or false", f"write it without quotes: {value.lower()}")
        number = isinstance(value, int | float) and value in (0, 1)
        raise OptionError("must be true or false", f"write {'true' if value else 'false'}" if number else "")


class Text(OptionType):
    """A string."""

    words, plural = "a string", "strings"

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        if isinstance(value, str):
            return value
        single = not isinstance(value, list | tuple | Mapping | None)
        raise OptionError("must be a string", f'put it in quotes: "{shown(value)}"' if single else "")


class FilePath(Text):
    """A path as it is written: the command that starts a run makes it absolute."""

    words, plural = "a path", "paths"

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        if isinstance(value, Path):
            return value
        if "\0" in (text := super().read(value, path, reader)):
            raise OptionError("must be a path, which holds no zero byte")
        return Path(text)


@frozen
class Choice(OptionType):
    """One of ``limits.choices``, or the member of ``enum`` with that value. Equal and of the same type: 1 is not true."""

    enum: type[Enum] | None = None

    def __str__(self) -> str:
        return either(shown(choice) for choice in self.limits.choices)

    def read(self, value: Any, path: str, reader: Reader) -> Any:
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
        return f"a list of {count}{self.members[0].plural}"

    @property
    def range(self) -> str:
        member = self.members[0]
        choices = f"one of {member}" if isinstance(member, Choice) else member.range
        return " and ".join(filter(None, (self.limits.items, choices and f"each {choices}")))

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        if not isinstance(value, list | tuple):
            raise OptionError(f"must be {self}", "" if isinstance(value, Mapping) else f"write a list: [{shown(value)}]")
        members = self.members * len(value) if self.of_any_length else self.members
        if len(members) != len(value):
            raise OptionError(f"must be {self}", f"this list has {len(value)}")
        self.limits.check_items(len(value))
        items = [reader.value(*pair, f"{path}[{i}]") for i, pair in enumerate(zip(members, value, strict=True))]
        return UNREADABLE if any(item is UNREADABLE for item in items) else tuple(items)


@frozen
class TableOf(OptionType):
    """A table with names of the author's own."""

    member: OptionType = OptionType()
    words: ClassVar[str] = "a table"

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        if not isinstance(value, Mapping):
            raise OptionError("must be a table", f"write [{path}], and its keys below")
        items = {key: reader.value(self.member, item, joined(path, key)) for key, item in value.items()}
        return UNREADABLE if any(item is UNREADABLE for item in items.values()) else items


@frozen
class Section(OptionType):
    """A section of a recipe: a nested class."""

    cls: type = object
    words: ClassVar[str] = "a table"

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        return value if isinstance(value, self.cls) else reader.section(self.cls, value, path)


@frozen
class Varying(OptionType):
    """A bare number, or a table whose ``use`` names a schedule. The limits hold for every value that it takes."""

    names: tuple[str, ...] = tuple(SCHEDULES)
    words: ClassVar[str] = "a number or a schedule"

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        if isinstance(value, Mapping):
            value = self._from_table(value, path, reader)
        elif type(value) not in SCHEDULES.values():
            value = as_schedule(Number().read(value, path, reader))
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
    """A value of any of several types. None means "not given", which TOML cannot write."""

    members: tuple[OptionType, ...] = ()
    or_none: bool = False

    def __str__(self) -> str:
        return either(dict.fromkeys(map(str, self.members)))

    @property
    def range(self) -> str:
        return " and ".join(filter(None, dict.fromkeys(member.range for member in self.members)))

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        if value is None and self.or_none:
            return None
        return self.members[0].read(value, path, reader) if len(self.members) == 1 else reader.first(self, value, path)


class Anything(OptionType):
    """Any plain value."""

    words = "any value"

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        return value


@frozen
class Foreign(OptionType):
    """A type that no recipe can fill. Such an option keeps its default."""

    hint: Any = None

    def __str__(self) -> str:
        return str(self.hint)

    def read(self, value: Any, path: str, reader: Reader) -> Any:
        raise BrokenPlugin(f"no recipe can fill {path}, which is of type {self.hint}")


_PLAIN: dict[Any, type[OptionType]] = {int: Integer, float: Number, bool: Flag, str: Text, Path: FilePath, Any: Anything}


def option_type(hint: Any, limits: Limits) -> OptionType:
    """Return what an option of this annotation and with these limits may hold."""
    origin, arguments = get_origin(hint), get_args(hint)
    is_union = origin in (Union, UnionType)
    members = [member for member in arguments if member is not NoneType] if is_union else [hint]
    names = tuple(name for name, cls in SCHEDULES.items() if cls in members)
    if len(names) == len(members):
        return (
            OneOf(limits, (Varying(limits, names),), NoneType in arguments) if NoneType in arguments else Varying(limits, names)
        )
    if is_union:
        return OneOf(limits, tuple(option_type(member, limits) for member in members), NoneType in arguments)
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
    return _PLAIN[hint](limits) if hint in _PLAIN else Foreign(limits, hint)


def _unquoted(value: Any, *kinds: type) -> str:
    """Return the hint for a number in quotes."""
    if not isinstance(value, str) or len(value) > 40:
        return ""
    for kind in kinds:
        try:
            number = kind(value)
        except ValueError:
            continue
        if math.isfinite(number):
            return f"write it without quotes: {value.strip()}"
    return ""
