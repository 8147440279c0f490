"""Values, types and rules in the words of a recipe's author."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import islice
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from ganblocks.schedules import SCHEDULES

LONGEST = 80
"""Characters of a value that an error shows."""
_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "a string", Path: "a path"}
_COMPARISONS = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}


def escaped(text: str) -> str:
    """Text in which every character can be seen: controls, colours and changes of direction become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def clipped(text: str) -> str:
    """At most LONGEST characters."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def key_text(key: str) -> str:
    """A key as TOML writes it in a dotted path."""
    return key if re.fullmatch(r"[A-Za-z0-9_*-]+", key) else clipped(escaped(json.dumps(key, ensure_ascii=False)))


def joined(path: str, key: str) -> str:
    """The dotted path of ``key`` under ``path``."""
    return f"{path}.{key_text(key)}" if path else key_text(key)


def shown(value: Any) -> str:
    """A value as TOML writes it, on one short line."""
    return clipped(_written(value))


def _written(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Enum():
            return _written(value.value)
        case int():
            return str(value) if value.bit_length() <= 64 else f"an integer of {value.bit_length()} bits"
        case Path():
            return _written(str(value))
        case str():
            return escaped(json.dumps(value[: LONGEST + 1], ensure_ascii=False))
        case Mapping():
            return "{ " + ", ".join(f"{key_text(str(k))} = {_written(v)}" for k, v in islice(value.items(), 8)) + " }"
        case list() | tuple():
            return "[" + ", ".join(_written(item) for item in islice(value, 20)) + "]"
        case None:
            return "nothing"
        case _:
            return escaped(str(value))


def is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


def is_schedule(hint: Any) -> bool:
    """True for ``Moving``, and for any part of it."""
    members = get_args(hint) if is_union(hint) else (hint,)
    return all(member in SCHEDULES.values() for member in members)


def type_words(hint: Any) -> str:
    """What a value of this type is, such as "a list of integers"."""
    arguments = get_args(hint)
    if is_schedule(hint):
        return "a number or a schedule"
    if is_union(hint):
        return either(dict.fromkeys(type_words(each) for each in arguments if each is not NoneType))
    if get_origin(hint) is Literal:
        return either(_written(value) for value in arguments)
    if get_origin(hint) is tuple:
        return _tuple_words(arguments)
    if get_origin(hint) is dict or attrs.has(hint):
        return "a table"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return either(_written(each.value) for each in hint)
    return _WORDS.get(hint, str(hint))


def _tuple_words(arguments: tuple[Any, ...]) -> str:
    first, count = arguments[0], "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
    plural = {int: "integers", float: "numbers", str: "strings", bool: "booleans"}.get(first, "values")
    return f"a list of {count}{plural}"


def either(words: Iterable[str]) -> str:
    """Words as a sentence lists them: a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint: the known word that was probably meant, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word[:LONGEST], names, n=1)
    if close:
        return f"did you mean {key_text(close[0])}?"
    return f"known here: {', '.join(map(key_text, names))}" if names else ""


def rule_of(error: Exception, option: str) -> str:
    """What a validator asks for, from its error: attrs writes ``'width' must be >= 1: 0``."""
    text = str(error.args[0] if error.args else error)
    length, text = text.startswith("Length of "), text.removeprefix("Length of ")
    own = text.startswith(f"'{option}' must ")
    text = text.removeprefix(f"'{option}' ")
    if own:
        text = re.sub(r" \((got .*|.* doesn't)\)\.?$", "", text, flags=re.DOTALL)
    text = re.sub(
        r"(>=|<=|>|<) ([-\d.][^:]*): .*$", lambda found: f"{_COMPARISONS[found[1]]} {found[2]}", text, flags=re.DOTALL
    )
    text = re.sub(r"^must be in [\[({](.*)[\])}]$", r"must be one of \1", text, flags=re.DOTALL)
    if length:
        text = text.replace("must be", "must have") + " items"
    return escaped(text)
