"""Statistics of a few seeds: t intervals, paired differences, and the number of seeds that a difference would need.

Student's t assumes about normal differences; with three to ten seeds no weaker assumption has any power.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen
from scipy import stats

LEVEL = 0.95
POWER = 0.8
MOST_SEEDS = 1000


@frozen
class Estimate:
    """A mean over seeds with its 95 % interval."""

    mean: float
    half: float | None
    """Half the width of the interval; None for a single value."""
    n: int

    @property
    def low(self) -> float | None:
        """Lower end of the interval."""
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        """Upper end of the interval."""
        return None if self.half is None else self.mean + self.half


@frozen
class PairedDifference:
    """A paired difference over seeds."""

    estimate: Estimate
    p: float | None
    """Two-sided, for a mean difference of 0; None for a single pair."""
    spread: float | None
    """Standard deviation of the differences; None for a single pair."""

    def seeds_needed(self, comparisons: int = 1) -> int | None:
        """Return the seeds with which a study of so many comparisons shows a difference of this size with probability 0.8.

        None: unknown, or more than 1,000.
        """
        return seeds_needed(self.estimate.mean, self.spread, comparisons)


def estimate(values: Sequence[float]) -> Estimate | None:
    """Return mean and Student's interval; None without values."""
    n = len(values)
    if n < 2:
        return Estimate(float(values[0]), None, 1) if values else None
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * stats.sem(values)  # ttest_1samp has no interval for equal values
    return Estimate(float(np.mean(values)), float(half), n)


def difference(mine: Sequence[float], theirs: Sequence[float]) -> PairedDifference | None:
    """Return mine minus theirs, pair by pair; None without pairs."""
    gaps = [a - b for a, b in zip(mine, theirs, strict=True)]
    mean = estimate(gaps)
    if mean is None:
        return None
    spread = float(np.std(gaps, ddof=1)) if len(gaps) > 1 else None
    return PairedDifference(mean, _p(mean.mean, spread, len(gaps)), spread)


def _p(mean: float, spread: float | None, n: int) -> float | None:
    if spread is None:
        return None
    if spread == 0:  # equal differences
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / spread * math.sqrt(n), n - 1))


def seeds_needed(mean: float, spread: float | None, comparisons: int = 1) -> int | None:
    """Return the fewest seeds whose paired t test shows ``mean`` with probability 0.8, for differences of that ``spread``.

    The level is 5 % over the number of comparisons, which the smallest of several p values must reach.
    """
    if spread is None or mean == 0:
        return None
    if spread == 0:
        return 2
    effect = abs(mean) / spread
    tail = (1 - LEVEL) / comparisons / 2
    # the number for a normal test; Student's test needs no fewer
    n = max(2, int(((stats.norm.isf(tail) + stats.norm.ppf(POWER)) / effect) ** 2))
    while n <= MOST_SEEDS and _power(effect, n, tail) < POWER:
        n += 1
    return n if n <= MOST_SEEDS else None


def _power(effect: float, n: int, tail: float) -> float:
    """Return the power of a two-sided t test of n pairs for an effect in standard deviations."""
    critical = stats.t.isf(tail, n - 1)
    shift = effect * math.sqrt(n)
    return float(stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for all comparisons together, so that the family-wise error is at most 5 % (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
