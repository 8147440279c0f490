"""What a few seeds allow to say: t intervals, paired differences, and how many seeds it would take.

Student's t assumes differences that are about normal; with the three to ten seeds of a study nothing weaker has any power.
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
    """A mean over seeds, with the half width of its interval at 95 %."""

    mean: float
    half: float | None
    """None with a single value."""
    n: int

    @property
    def low(self) -> float | None:
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        return None if self.half is None else self.mean + self.half


@frozen
class Difference:
    """A paired difference over seeds."""

    estimate: Estimate
    p: float | None
    """Two-sided, for a mean difference of 0; None with a single pair."""
    spread: float | None
    """Standard deviation of the gaps; None with a single pair."""

    def seeds_needed(self, comparisons: int = 1) -> int | None:
        """Seeds by which a study of so many comparisons would show a difference of this size four times in five.

        None: unknown, or over 1,000.
        """
        return seeds_needed(self.estimate.mean, self.spread, comparisons)


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean and Student's interval; None without values."""
    if not values:
        return None
    sample = np.asarray(values, dtype=np.float64)
    n = len(sample)
    if n == 1:
        return Estimate(float(sample[0]), None, 1)
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * sample.std(ddof=1) / math.sqrt(n)
    return Estimate(float(sample.mean()), float(half), n)


def difference(mine: Sequence[float], theirs: Sequence[float]) -> Difference | None:
    """Mine minus theirs, pair by pair; None without pairs."""
    gaps = [a - b for a, b in zip(mine, theirs, strict=True)]
    found = estimate(gaps)
    if found is None:
        return None
    spread = float(np.std(gaps, ddof=1)) if len(gaps) > 1 else None
    return Difference(found, _p(found.mean, spread, len(gaps)), spread)


def _p(mean: float, spread: float | None, n: int) -> float | None:
    if spread is None:
        return None
    if spread == 0:  # the same gap each time
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / spread * math.sqrt(n), n - 1))


def seeds_needed(mean: float, spread: float | None, comparisons: int = 1) -> int | None:
    """The fewest seeds whose paired t test shows ``mean`` with probability 0.8, if differences spread by ``spread``.

    At 5 % divided by the number of comparisons: what the smallest of several p values has to reach.
    """
    if spread is None or mean == 0:
        return None
    if spread == 0:
        return 2
    effect = abs(mean) / spread
    tail = (1 - LEVEL) / comparisons / 2
    # what a normal test would need; Student's needs no fewer
    n = max(2, int(((stats.norm.isf(tail) + stats.norm.ppf(POWER)) / effect) ** 2))
    while n <= MOST_SEEDS and _power(effect, n, tail) < POWER:
        n += 1
    return n if n <= MOST_SEEDS else None


def _power(effect: float, n: int, tail: float) -> float:
    """Probability that a two-sided t test of n pairs sees an effect of so many standard deviations."""
    critical = stats.t.isf(tail, n - 1)
    shift = effect * math.sqrt(n)
    return float(stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that, of all comparisons without a difference, any is called one with probability 5 % at most (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted
