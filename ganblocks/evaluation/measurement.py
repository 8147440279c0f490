"""The numbers of one metric or diagnostic, where a failure must not affect the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import frozen

from ganblocks.errors import DataError, GanblocksError, UsageError
from ganblocks.evaluation.report import HELD_OUT, NOISE, SAMPLES, MetricValue, Missing
from ganblocks.registry import named


@frozen(eq=False)
class Attempt:
    """Finite numbers of one set of images, and the reason why others are missing."""

    numbers: Mapping[str, float]
    reason: str = ""
    not_finite: tuple[str, ...] = ()
    error: Exception | None = None

    @classmethod
    def of(cls, compute: Callable[[], Mapping[str, float]]) -> Attempt:
        """Return what ``compute`` returns; an exception becomes the reason."""
        try:
            numbers = compute()
        except Exception as error:  # of any plugin; the other metrics go on
            return cls({}, error_message(error), error=error)
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        not_finite = tuple(name for name in numbers if name not in finite)
        return cls(finite, "not finite" if not_finite else "", not_finite)

    def missing(self, leading: Iterable[str]) -> list[str]:
        """Return the leading numbers, and the numbers that are not finite, which it lacks."""
        return [name for name in dict.fromkeys([*leading, *self.not_finite]) if name not in self.numbers]


@frozen(eq=False)
class Measurement:
    """What one metric or diagnostic gives for the samples and for each control."""

    name: Callable[[str], str]
    """Short name -> name in a report, such as ``kd`` -> ``kd[efficientnet-lite0]``."""
    better: Mapping[str, str]
    protocol: Mapping[str, str]
    samples: Attempt
    controls: Mapping[str, Attempt]
    """Column of a report -> the same numbers for a control."""

    def values(self) -> Iterator[MetricValue]:
        """Yield the numbers of the samples, each beside those of the controls."""
        held_out, noise = (self.controls[column].numbers if column in self.controls else {} for column in (HELD_OUT, NOISE))
        for key, value in self.samples.numbers.items():
            better = self.better.get(key, "")
            yield MetricValue(self.name(key), value, self.protocol, better, held_out.get(key), noise.get(key))

    def missing(self) -> Iterator[Missing]:
        """Yield what the samples and the controls lack."""
        for column, attempt in {SAMPLES: self.samples, **self.controls}.items():
            if attempt.reason:
                yield Missing(tuple(self.name(key) for key in attempt.missing(self.better)), attempt.reason, column)


def error_message(error: Exception) -> str:
    """Return the message of a user's mistake; of any other error also its type."""
    return str(error) if isinstance(error, GanblocksError) else named(error)


def merge_missing(missing: Iterable[Missing]) -> tuple[Missing, ...]:
    """Join missing numbers of equal reason and column, in order of their first appearance."""
    names: dict[tuple[str, str], list[str]] = {}
    for item in missing:
        names.setdefault((item.reason, item.column), []).extend(item.names)
    return tuple(Missing(tuple(dict.fromkeys(group)), *key) for key, group in names.items())


def no_numbers(missing: Iterable[Missing], first: Exception | None) -> Exception:
    """Return the error of an evaluation without any number; ``first``: the first error of its metrics."""
    if first is not None and not isinstance(first, GanblocksError):
        return first
    kind = UsageError if isinstance(first, UsageError) else DataError
    return kind("\n".join(item.message() for item in missing))
