"""One recipe file: read it within limits, parse it, and find the line of a mistake."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any

from attrs import field, frozen

from ganblocks.errors import Mistake, RecipeError
from ganblocks.options.words import escaped, joined

LARGEST = 2**20
"""Maximum size of a file in bytes."""
DEEPEST = 32
"""Maximum depth of tables inside tables."""
MOST_VALUES = 10_000
LONGEST_STRING = 4096
MOST_DOTS = 100
"""Maximum per line: tomllib takes cubic time over a key of many parts."""
MOST_LINES = 20_000
"""Maximum number of lines, and of commas: tomllib takes seconds over a megabyte of brackets."""

_HINTS = {
    "overwrite": "this key or table stands twice",
    "twice": "this table stands twice",
    "inline table": "an inline table must stay on one line: write [table] and its keys below",
    "key part": "an inline table must stay on one line, without a comma at its end; a key is a word",
    "Invalid value": "strings need quotes; true and false are in lower case",
    "Expected '='": "a line is key = value, or [table]",
    "after a statement": "one key per line; strings need quotes",
    "Unterminated": "close the quotes",
    "Unclosed": "close the bracket",
    "Expected ']'": "close the bracket",
}
"""Part of a message of tomllib -> the likely fix."""


@frozen(eq=False)
class RecipeFile:
    """A file and the table that it holds."""

    path: Path
    table: dict[str, Any]
    lines: dict[str, int] = field(init=False, factory=dict)
    """Dotted path -> line; filled by :meth:`line_of`."""
    _text: str = ""

    @property
    def name(self) -> str:
        """The path, without control characters."""
        return escaped(str(self.path))

    def line_of(self, where: str) -> tuple[int, int]:
        """Return (the number of characters of the path ``where`` that this file sets, the line), or (0, 0)."""
        if not self.lines:
            self.lines.update(_index(self._text) or {"": 0})
        while where and where not in self.lines:
            where = where[: max(where.rfind("."), where.rfind("["), 0)]
        return len(where), self.lines.get(where, 0)


def read_file(path: str | os.PathLike[str]) -> RecipeFile:
    """Read and parse. Raise RecipeError if anything is wrong with the file itself."""
    text = _read_text(Path(path))
    if max(text.count("\n"), text.count(",")) > MOST_LINES:
        rule = f"must not have more than {MOST_LINES:,} lines or commas"
        raise _refused(Path(path), rule, "a recipe only names components")
    if any(line.count(".") > MOST_DOTS for line in text.split("\n")):
        raise _refused(Path(path), f"no line may have more than {MOST_DOTS} dots", "write long lists on several lines")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(Path(path), str(error)) from error
    except (ValueError, RecursionError) as error:
        nested = isinstance(error, RecursionError)
        rule = f"tables and lists must not nest deeper than {DEEPEST}" if nested else "a number is out of range"
        raise _refused(Path(path), rule, "simplify it") from error
    refuse_bombs(table, escaped(str(path)))
    return RecipeFile(Path(path), table, text=text)


def _read_text(path: Path) -> str:
    try:
        if not S_ISREG(path.stat().st_mode):
            raise _refused(path, "must be a file", "name a recipe, such as recipes/sagan.toml")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(path, f"cannot be read: {reason}", "check the path") from error
    if len(content) > LARGEST:
        raise _refused(path, "must not be larger than 1 MiB", "a recipe only names components; data stands elsewhere")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _refused(path, f"must be UTF-8 text: byte {error.start} is not", "save it as UTF-8") from error


def _refused(path: Path, rule: str, hint: str, line: int = 0) -> RecipeError:
    name = escaped(str(path))
    return RecipeError([Mistake("", "", rule, hint, f"{name}:{line}" if line else name)], name)


def _not_toml(path: Path, message: str) -> RecipeError:
    """Return the error of a file that is not TOML; it has one mistake, with its line."""
    position = re.search(r" \(at line (\d+), column \d+\)$", message)
    hint = next((hint for part, hint in _HINTS.items() if part in message), "see https://toml.io")
    text = message[: position.start()] if position else message
    return _refused(path, f"is not TOML: {escaped(text)}", hint, int(position[1]) if position else 0)


def refuse_bombs(table: Mapping[str, Any], source: str) -> None:
    """Raise RecipeError, which names ``source``, if a table is too deep or too large."""

    def refused(rule: str, hint: str) -> RecipeError:
        return RecipeError([Mistake("", "", rule, hint, source)], source)

    count, waiting = 0, [(table, 0)]
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > DEEPEST:
            raise refused(f"tables and lists must not nest deeper than {DEEPEST}", "simplify it")
        if count > MOST_VALUES:
            raise refused(f"must not hold more than {MOST_VALUES:,} values", "a recipe only names components")
        if isinstance(value, str) and len(value) > LONGEST_STRING:
            raise refused(f"strings must not be longer than {LONGEST_STRING:,} characters", "shorten it")
        inner: Any = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting.extend((item, depth + 1) for item in inner)


def _index(text: str) -> dict[str, int]:
    """Return dotted path -> line of every table header and every key that begins a line."""
    index: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.partition("#")[0].strip()
        key, equals, _ = line.partition("=")
        if bare.startswith("[") and bare.endswith("]"):
            if header := _path(bare):
                table = header
                index.setdefault(table, number)
        elif equals and (path := _path(f"{key} = 0", table)):
            index.setdefault(path, number)
    return index


def _path(statement: str, path: str = "") -> str:
    """Return the dotted path that one line of TOML declares, below ``path``; empty if the line is no whole statement."""
    if len(statement) > 300:
        return ""
    try:
        table: Any = tomllib.loads(statement)
    except ValueError:
        return ""
    while isinstance(table, dict) and table:
        key, table = next(iter(table.items()))
        path = joined(path, key)
    return path
