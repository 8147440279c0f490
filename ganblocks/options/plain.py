"""Strict reading of one plain value: nothing is converted but an integer where a number is asked for."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from attrs import frozen

from ganblocks.options.words import either, shown


@frozen
class Wrong(Exception):
    """A value that does not fit: the rule that it breaks, and the likely fix."""

    rule: str
    hint: str = ""


def read_integer(value: Any) -> int:
    """An integer of 64 bits; never a boolean, a float or a string."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > 63:
            raise Wrong("must be an integer of at most 64 bits", "write a smaller number")
        return int(value)
    if isinstance(value, float) and value.is_integer():
        raise Wrong("must be an integer", f"write {int(value)}" if abs(value) < 2**53 else "")
    raise Wrong("must be an integer", _unquoted(value, read_integer))


def read_number(value: Any) -> float:
    """A finite number; an integer is one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if (isinstance(value, int) and value.bit_length() > 63) or not math.isfinite(value):
            raise Wrong("must be a finite number")
        return float(value)
    raise Wrong("must be a number", _unquoted(value, read_number))


def read_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        raise Wrong("must be true or false", f"write it without quotes: {value.lower()}")
    if isinstance(value, int | float) and value in (0, 1):
        raise Wrong("must be true or false", f"write {'true' if value else 'false'}")
    raise Wrong("must be true or false")


def read_string(value: Any) -> str:
    if isinstance(value, str):
        return value
    single = not isinstance(value, list | tuple | Mapping | None)
    raise Wrong("must be a string", f'put it in quotes: "{shown(value)}"' if single else "")


def read_path(value: Any) -> Path:
    """A path of this machine, as it is written: whoever starts a run makes it absolute."""
    if isinstance(value, Path):
        return value
    if "\0" in (text := read_string(value)):
        raise Wrong("must be a path, which holds no zero byte")
    return Path(text)


def read_choice(value: Any, choices: tuple[Any, ...]) -> Any:
    """One of ``choices``: equal and of the same type, so that 1 is not true."""
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    names = [choice for choice in choices if isinstance(choice, str)]
    close = difflib.get_close_matches(value[:80].lower(), names, n=1) if isinstance(value, str) else []
    rule = f"must be {either(shown(choice) for choice in choices)}"
    raise Wrong(rule, f"did you mean {shown(close[0])}?" if close else "")


def read_enum(value: Any, cls: type[Enum]) -> Enum:
    if isinstance(value, cls):
        return value
    return cls(read_choice(value, tuple(member.value for member in cls)))


READERS: dict[Any, Callable[[Any], Any]] = {
    int: read_integer,
    float: read_number,
    bool: read_boolean,
    str: read_string,
    Path: read_path,
}


def _unquoted(value: Any, read: Callable[[Any], Any]) -> str:
    """The hint for a number in quotes."""
    if not isinstance(value, str) or len(value) > 40:
        return ""
    for kind in (int, float):
        try:
            read(kind(value))
        except (ValueError, Wrong):
            continue
        return f"write it without quotes: {value.strip()}"
    return ""
