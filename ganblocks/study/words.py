"""What the numbers allow to say, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganblocks.evaluation.report import UNTRAINED, Score
from ganblocks.study.statistics import Difference, Estimate

if TYPE_CHECKING:
    from ganblocks.study.table import Row

SIGNIFICANT = 0.05
DIGITS = 3
"""Of the half width of an interval; the mean has as many decimals."""


def verdict(row: Row, better: str, seeds: int) -> str:
    """One sentence or two: what the numbers allow to say of a row, and what it would take where they allow nothing."""
    against = "" if row.variant.against == row.variant.name else f" against {row.variant.against}"
    return f"{row.variant.name}{against}: {_found(row, better)}{_caveats(row, seeds)}"


def _found(row: Row, better: str) -> str:
    if row.unlike:
        return f"not compared: {row.unlike}."
    found = row.difference
    if found is None:
        return "not compared: no seed has finished in both."
    mean, half = found.estimate.mean, found.estimate.half
    if half is None or found.p is None or row.adjusted_p is None:
        return f"one seed each, {mean:+.4g}: nothing can be said."
    places = decimals(half)
    low, high = f"{mean - half:+.{places}f}", f"{mean + half:+.{places}f}"
    span = f"{mean:+.{places}f} (95 % interval {low} to {high}, {found.estimate.n} pairs"
    if row.adjusted_p < SIGNIFICANT:
        good = {"higher": mean > 0, "lower": mean < 0}.get(better)
        word = "different" if good is None else "better" if good else "worse"
        return f"{word} by {span}, p = {row.adjusted_p:.2g} after Holm)."
    return f"no difference shown: {span}, p = {row.adjusted_p:.2g} after Holm). {_needed(found, row.comparisons)}"


def _needed(found: Difference, comparisons: int) -> str:
    """What it would take; and a word where the interval alone would promise more than the table allows."""
    alone = found.p is not None and found.p < SIGNIFICANT
    words = f"Alone it would be one; among {comparisons} comparisons it is not. " if alone else ""
    needed = found.seeds_needed(comparisons)
    if needed is None:
        return words + "If there is one of about the size seen, more than 1,000 seeds would be needed to show it."
    return words + (
        "If the true difference is the one seen, and seeds scatter as these do,"
        f" about {needed} seeds would show it four times in five."
    )


def _caveats(row: Row, seeds: int) -> str:
    words = f" {row.diverged} of {seeds} diverged, and means are of those that did not." if row.diverged else ""
    words += f" {row.missing} of {seeds} are missing." if row.missing else ""
    words += f" {row.unscored} of {seeds} have no such score at their end, and there is no mean." if row.unscored else ""
    return words


def untrained(names: Sequence[str], score: Score) -> list[str]:
    """One sentence for the rows whose samples score no better than noise; none where there are no such rows."""
    if not names:
        return []
    noise = f"no better than noise ({score.name} {score.noise:.4g})"
    return [f"{', '.join(names)}: {noise} at the end: {UNTRAINED}."]


def interval(found: Estimate | None, sign: bool = False) -> str:
    """``6.33 ± 0.214``."""
    if found is None:
        return ""
    plus = "+" if sign else ""
    if found.half is None:
        return f"{found.mean:{plus}.4g}"
    places = decimals(found.half)
    return f"{found.mean:{plus}.{places}f} ± {found.half:.{places}f}"


def decimals(half: float) -> int:
    """As many as the three leading digits of a half width need, and six at most."""
    return 3 if half == 0 else min(max(DIGITS - 1 - math.floor(math.log10(half)), 0), 6)
