"""Several functions timed in turn, and what their times are worth: medians, quartiles and paired ratios."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

Times = dict[str, list[float]]
"""What was timed -> seconds, one number per round. Numbers of one round belong together."""


@frozen
class Spread:
    """The median and the quartiles of some numbers."""

    median: float
    lower: float
    upper: float
    n: int

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        """Return the spread of at least one number."""
        ordered = sorted(numbers)
        if len(ordered) == 1:
            return cls(ordered[0], ordered[0], ordered[0], 1)
        lower, median, upper = statistics.quantiles(ordered, n=4, method="inclusive")
        return cls(median, lower, upper, len(ordered))


def alternate(functions: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> Times:
    """Call all functions in turn, round by round, and return the seconds of the rounds after ``warm_up``.

    Each round begins with another function, so that none always follows the same one. Garbage is collected before a round.
    """
    names = list(functions)
    times: Times = {name: [] for name in names}
    for number in range(warm_up + rounds):
        gc.collect()
        first = number % len(names)
        for name in names[first:] + names[:first]:
            seconds = timed(functions[name])
            if number >= warm_up:
                times[name].append(seconds)
    return times


def repeated(function: Callable[[], object], times: int) -> Callable[[], None]:
    """Return several calls as one, for what is too short to be timed alone: after others it begins with cold caches."""

    def all_of_them() -> None:
        for _ in range(times):
            function()

    return all_of_them


def timed(function: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def ratio(times: Times, name: str, reference: str) -> Spread:
    """Return the spread of ``name``'s seconds over ``reference``'s in the same round."""
    return Spread.of([one / other for one, other in zip(times[name], times[reference], strict=True)])
