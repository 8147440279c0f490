"""Compare two recipes, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from ganblocks.options.words import joined, shown


@frozen
class Difference:
    """One entry that differs: its dotted path and both values."""

    path: str
    was: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.path} was {shown(self.was)} and is {shown(self.now)}"


def differences(was: Any, now: Any, path: str = "") -> Iterator[Difference]:
    """Iterate over the entries in which two tables differ, as deep as both are tables."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in sorted({*was, *now}):
            yield from differences(was.get(key), now.get(key), joined(path, key))
    elif was != now or isinstance(was, bool) != isinstance(now, bool):
        yield Difference(path, was, now)
