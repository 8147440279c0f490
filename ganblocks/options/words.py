"""Values and keys as TOML writes them, for error messages and tables."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any

LONGEST = 80
"""Maximum number of characters of a value in an error message."""


def escaped(text: str) -> str:
    """Return text in which control characters, colours and changes of direction are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def clipped(text: str) -> str:
    """Return at most LONGEST characters of a text."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def key_text(key: str) -> str:
    """Return a key as TOML writes it in a dotted path."""
    return key if re.fullmatch(r"[A-Za-z0-9_*-]+", key) else clipped(escaped(json.dumps(key, ensure_ascii=False)))


def joined(path: str, key: str) -> str:
    """Return the dotted path of ``key`` under ``path``."""
    return f"{path}.{key_text(key)}" if path else key_text(key)


def shown(value: Any) -> str:
    """Return a value as TOML writes it, on one short line."""
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


def either(words: Iterable[str]) -> str:
    """Join words as a sentence does: a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return a hint with the known word that is closest to ``word``, or with all of them if none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(word[:LONGEST], names, n=1)
    if close:
        return f"did you mean {key_text(close[0])}?"
    return f"known here: {', '.join(map(key_text, names))}" if names else ""
