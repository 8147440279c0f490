"""What the numbers of a study show, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ganblocks.evaluation.report import UNTRAINED, MetricValue
from ganblocks.study.rows import Row
from ganblocks.study.statistics import Estimate, PairedDifference

SIGNIFICANT = 0.05
DIGITS = 3
"""Significant digits of an interval's half width; the mean has as many decimals."""
FEWEST_PAIRS = 3
"""Pairs from which the number of needed seeds is estimated."""


def verdict(row: Row, better: str, seeds: int) -> str:
    """Return what the numbers of a row show, and the seeds that would be needed where they show nothing."""
    against = "" if row.variant.against == row.variant.name else f" against {row.variant.against}"
    return f"{row.variant.name}{against}: {_result(row, better)}{_caveats(row, seeds)}"


def _result(row: Row, better: str) -> str:
    if row.not_compared:
        return f"not compared: {row.not_compared}."
    difference = row.difference
    if difference is None:
        return "not compared: no seed has finished in both."
    mean, half = difference.estimate.mean, difference.estimate.half
    if half is None or difference.p is None or row.adjusted_p is None:
        return f"one seed each, {mean:+.4g}: nothing can be said."
    digits = decimals(half)
    low, high = f"{mean - half:+.{digits}f}", f"{mean + half:+.{digits}f}"
    span = f"{mean:+.{digits}f} (95 % interval {low} to {high}, {difference.estimate.n} pairs"
    if row.adjusted_p < SIGNIFICANT:
        good = {"higher": mean > 0, "lower": mean < 0}.get(better)
        word = "different" if good is None else "better" if good else "worse"
        return f"{word} by {span}, p = {row.adjusted_p:.2g} after Holm)."
    return f"no difference shown: {span}, p = {row.adjusted_p:.2g} after Holm). {_needed(difference, row.comparisons)}"


def _needed(difference: PairedDifference, comparisons: int) -> str:
    """Return the seeds that would be needed, after a warning if the interval alone would show more than the table allows."""
    alone = difference.p is not None and difference.p < SIGNIFICANT
    warning = f"Alone it would be one; among {comparisons} comparisons it is not. " if alone else ""
    if difference.estimate.n < FEWEST_PAIRS:
        return warning + f"{difference.estimate.n} pairs are too few to estimate how many seeds would show one."
    needed = difference.seeds_needed(comparisons)
    if needed is None:
        return warning + "If there is one of about the size seen, more than 1,000 seeds would be needed to show it."
    return warning + (
        "If the true difference is the one seen, and seeds scatter as these do,"
        f" about {needed} seeds would show it four times in five."
    )


def _caveats(row: Row, seeds: int) -> str:
    sentences = {
        "diverged, and means are of those that did not.": row.diverged,
        "are missing.": row.missing,
        "have no such score at their end, and there is no mean.": row.unscored,
    }
    return "".join(f" {count} of {seeds} {text}" for text, count in sentences.items() if count)


def untrained(names: Sequence[str], score: MetricValue) -> list[str]:
    """Return one sentence for the rows whose samples score no better than noise, if there are any."""
    if not names:
        return []
    noise = f"no better than noise ({score.name} {score.noise:.4g})"
    return [f"{', '.join(names)}: {noise} at the end: {UNTRAINED}."]


def interval(mean: Estimate | None, sign: bool = False) -> str:
    """Return ``6.33 ± 0.214``; empty for None."""
    if mean is None:
        return ""
    plus = "+" if sign else ""
    if mean.half is None:
        return f"{mean.mean:{plus}.4g}"
    digits = decimals(mean.half)
    return f"{mean.mean:{plus}.{digits}f} ± {mean.half:.{digits}f}"


def decimals(half: float) -> int:
    """Return the decimals that the three leading digits of a half width need, at most six."""
    return 3 if half == 0 else min(max(DIGITS - 1 - math.floor(math.log10(half)), 0), 6)
