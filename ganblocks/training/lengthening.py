"""What becomes of the cadences of a run where it gets another length."""

from __future__ import annotations

import attrs

from ganblocks.recipe import Recipe
from ganblocks.training.cadence import Cadences


def cadences(recipe: Recipe, before: int) -> str:
    """What becomes of the cadences that follow from the length of the run; empty where nothing does."""
    training = recipe.training
    then, now = (
        Cadences.of(attrs.evolve(recipe, training=attrs.evolve(training, images=n))) for n in (before, training.images)
    )
    names = {"samples": "samples", "checkpoints": "checkpoints", "statistics": "singular values"}
    moved = [
        f"{words} every {getattr(now, name).every:,} images instead of {getattr(then, name).every:,}"
        for name, words in names.items()
        if getattr(then, name).every != getattr(now, name).every
    ]
    return "; ".join(moved)
