"""Refuse attempts to turn scoring off in a recipe, and name the way to do it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from ganblocks.errors import Mistake
from ganblocks.recipe.ablation import Change

SECTION = "evaluation"
TABLES = (SECTION, f"{SECTION}.metrics")
OFF = ("0", "-1", "false", "[]", '""', '"none"', '"off"', '"no"', '"None"', '"false"', '"null"')
"""Values that probably mean "no scores"."""
HINT = "to score nothing, add --no-score to ganblocks run, or take [evaluation] out"


def emptied(changes: Iterable[Change]) -> Iterator[Mistake]:
    """Iterate over changes to an empty table, which would mean the usual scores instead of none."""
    for change in changes:
        if change.path in TABLES and change.value == {} and not change.remove:
            yield Mistake(change.path, "{}", "an empty table asks for the usual scores", HINT)


def hinted(mistake: Mistake) -> Mistake:
    """Return the mistake, with the way to score nothing if that was probably meant."""
    if mistake.where.split(".")[0] != SECTION or mistake.arrived not in OFF:
        return mistake
    return attrs.evolve(mistake, hint=f"{mistake.hint}; {HINT}" if mistake.hint else HINT)
