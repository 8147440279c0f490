"""When a run draws samples, saves, measures and scores, counted in images seen."""

from __future__ import annotations

from attrs import frozen

from ganblocks.recipe import Recipe


@frozen
class Cadence:
    """Due whenever a count crosses a multiple of ``every``."""

    every: int

    def crossed(self, before: int, now: int) -> bool:
        """Return whether a multiple lies above ``before`` and not above ``now``."""
        return before // self.every != now // self.every


@frozen
class Cadences:
    """The cadences of a recipe; those it leaves out follow from the length of the run."""

    samples: Cadence
    checkpoints: Cadence
    statistics: Cadence
    scores: Cadence

    @classmethod
    def of(cls, recipe: Recipe) -> Cadences:
        """Return the cadences that a recipe asks for, or their defaults."""
        settings, evaluation = recipe.training, recipe.evaluation
        tenth, hundredth = max(settings.images // 10, 1), max(settings.images // 100, 1)
        return cls(
            samples=Cadence(settings.samples_every or tenth),
            checkpoints=Cadence(settings.checkpoint_every or tenth),
            statistics=Cadence(settings.statistics_every or hundredth),
            scores=Cadence((evaluation and evaluation.every) or settings.images),
        )
