"""Changes to a recipe before it is read: ``--set``, and the ``set`` and ``remove`` of an ablation.

A path is dotted; ``*`` matches one part. What a path may name follows from the file and from the classes that it names:
``"*.attention"`` is every section whose component has such an option.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from ganblocks.errors import Mistake, UsageError
from ganblocks.options.words import escaped, joined, key_text, shown, suggestion
from ganblocks.recipe.raw_table import RawTable


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``path=value`` of the command line; the value is TOML, or else a string. Raise UsageError without path or ``=``."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise UsageError(f"--set {escaped(text)}: write path=value, such as --set training.images=4096")
    return path.strip(), toml_value(value.strip())


def toml_value(text: str) -> Any:
    """Return a value of the command line as TOML reads it, or else the string itself."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if list(table) == ["value"] else text


@frozen
class Change:
    """One assignment, or (where ``remove``) one removal."""

    path: str
    value: Any = None
    remove: bool = False
    ablation: str = ""
    """The ablation that makes the change; empty: ``--set`` does."""

    @property
    def parts(self) -> list[str]:
        """The parts of the path."""
        return self.path.split(".")

    @property
    def stands_at(self) -> str:
        """The dotted path of the statement in the recipe; empty for ``--set``."""
        section = f"ablation.{key_text(self.ablation)}"
        return "" if not self.ablation else f"{section}.remove" if self.remove else joined(f"{section}.set", self.path)

    @property
    def order(self) -> tuple[int, bool]:
        """Whole sockets come before their options, wide paths before exact ones: the order in a file does not matter."""
        return len(self.parts) - (self.parts[-1] == "use"), "*" not in self.parts


def changes(assignments: Mapping[str, Any], removals: Iterable[str] = (), ablation: str = "") -> list[Change]:
    """Return removals first, then assignments from the outside in."""
    assigned = [Change(path, value, ablation=ablation) for path, value in assignments.items()]
    removed = [Change(path, remove=True, ablation=ablation) for path in removals]
    return removed + sorted(assigned, key=lambda change: change.order)


def apply(root: RawTable, wanted: Sequence[Change]) -> Iterator[tuple[Change, Mistake]]:
    """Make the changes in the table of ``root``; yield those that match nothing, each with the mistake."""
    for change in wanted:
        matches = list(select(root, change.parts)) if all(change.parts) else []
        if change.remove:
            matches = [(table, key) for table, key in matches if key in table.table]
        for table, key in matches:
            table.remove(key) if change.remove else table.assign(key, change.value)
        if not matches:
            arrived = "" if change.remove else shown(change.value)
            rule = "there is nothing to remove at this path" if change.remove else "this path matches nothing in the recipe"
            yield change, Mistake(escaped(change.path), arrived, rule, _hint(root, change))


def select(table: RawTable, parts: Sequence[str], wide: bool = False) -> Iterator[tuple[RawTable, str]]:
    """Iterate over the (table, key) that a path names. A path without ``*`` may name a key that nothing declares."""
    first, *rest = parts
    names = sorted(table.names()) if first == "*" else [first]
    wide = wide or first == "*"
    for name in names:
        if rest:
            child = table.child(name)
            yield from select(child, rest, wide) if child else ()
        elif first == "*":
            yield from [(table, name)] if name in table.table else []
        elif not wide or name in table.names():
            yield table, name


def _hint(root: RawTable, change: Change) -> str:
    """Return where the path leaves the recipe, and what was probably meant there."""
    if not all(change.parts):
        return "write parts with one dot between them"
    table = root
    for part in change.parts[: len(change.parts) if change.remove or "*" in change.parts else -1]:
        child = None if part == "*" else table.child(part)
        if child is None:
            if part == "*":
                return suggestion(change.parts[-1], {name for section in table.children() for name in section.names()})
            return f"{key_text(part)} is no table" if part in table.names() else suggestion(part, table.names())
        table = child
    return "it is not set in the file"
