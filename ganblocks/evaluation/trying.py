"""Asking a metric for its numbers, where one that has none must not take the others with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from attrs import frozen

from ganblocks.errors import DataError, GanblocksError, UsageError
from ganblocks.evaluation.report import Missing
from ganblocks.registry import named


@frozen(eq=False)
class Tried:
    """What a metric says of one set of images, and why it does not say the rest."""

    numbers: Mapping[str, float]
    """Finite ones only."""
    reason: str = ""
    wrong: tuple[str, ...] = ()
    """Numbers that are not finite."""
    error: Exception | None = None

    @classmethod
    def of(cls, ask: Callable[[], Mapping[str, float]]) -> Tried:
        """What ``ask`` returns; whatever it raises is the reason for which there is nothing."""
        try:
            found = ask()
        except Exception as error:  # of any plugin; the other metrics go on
            return cls({}, in_words(error), error=error)
        finite = {name: value for name, value in found.items() if math.isfinite(value)}
        wrong = tuple(name for name in found if name not in finite)
        return cls(finite, "not finite" if wrong else "", wrong)

    def lacking(self, leading: Iterable[str]) -> list[str]:
        """Of the numbers that lead, and of those that came, the ones that cannot be had."""
        return [name for name in dict.fromkeys([*leading, *self.wrong]) if name not in self.numbers]


def in_words(error: Exception) -> str:
    """A user's mistake as it reads; of any other error its type as well."""
    return str(error) if isinstance(error, GanblocksError) else named(error)


def merged(missing: Iterable[Missing]) -> tuple[Missing, ...]:
    """One for each reason and column, in their order, with all the numbers that lack for it."""
    names: dict[tuple[str, str], list[str]] = {}
    for each in missing:
        names.setdefault((each.reason, each.column), []).extend(each.names)
    return tuple(Missing(tuple(dict.fromkeys(found)), reason, column) for (reason, column), found in names.items())


def nothing(missing: Iterable[Missing], first: Exception | None) -> Exception:
    """The error of an evaluation that has no number at all."""
    if first is not None and not isinstance(first, GanblocksError):
        return first
    kind = UsageError if isinstance(first, UsageError) else DataError
    return kind("\n".join(each.words() for each in missing))
