"""Wishes to score nothing, which a recipe cannot hold: they are refused, and the way that there is is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from ganblocks.errors import Mistake
from ganblocks.recipe.ablation import Change

SECTION = "evaluation"
TABLES = (SECTION, f"{SECTION}.metrics")
OFF = ("0", "-1", "false", "[]", '""', '"none"', '"off"', '"no"', '"None"', '"false"', '"null"')
"""What stands where somebody means "no scores"."""
HINT = "to score nothing, add --no-score to ganblocks run, or take [evaluation] out"


def emptied(changes: Iterable[Change]) -> Iterator[Mistake]:
    """Changes to an empty table, which would ask for the usual scores instead of none."""
    for change in changes:
        if change.path in TABLES and change.value == {} and not change.remove:
            yield Mistake(change.path, "{}", "an empty table asks for the usual scores", HINT)


def hinted(mistake: Mistake) -> Mistake:
    """The mistake, with the way to score nothing where that is likely to be meant."""
    if mistake.where.split(".")[0] != SECTION or mistake.arrived not in OFF:
        return mistake
    return attrs.evolve(mistake, hint=f"{mistake.hint}; {HINT}" if mistake.hint else HINT)
