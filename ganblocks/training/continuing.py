"""How a run is continued: with which recipe, and what differs from before."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from ganblocks.errors import CheckpointError, UsageError
from ganblocks.recipe import Recipe, differences, fates, with_data, without_loggers, write_recipe
from ganblocks.training.cadence import Cadences
from ganblocks.training.classes import differing, names_of, recorded_classes
from ganblocks.training.provenance import inexact, recorded
from ganblocks.training.run import Run
from ganblocks.training.run_folder import RECIPE, RunFolder


@frozen(eq=False)
class Continuation:
    """A run and the recipe to continue it with."""

    run: Run
    recipe: Recipe
    """That of the run, with the length and the path of the data that were asked for."""

    @classmethod
    def of(cls, run: Run, images: int | None, data: str | Path | None) -> Continuation:
        """Return the continuation up to ``images`` images. Raise UsageError if the run has seen that many already."""
        continuation = cls(run, with_length_and_data(run.recipe, images, data))
        length = continuation.recipe.training.images
        if length <= run.images_seen and (images is not None or length != continuation.length_before):
            rule = f"{length:,} images are asked for, and this run has seen {run.images_seen:,}"
            raise UsageError(f"{run.path}: {rule}; to train longer ask for more, such as --images {2 * run.images_seen}")
        return continuation

    @property
    def length_before(self) -> int:
        """The length of the run up to now, in images."""
        edited = [edit.was for edit in self.run.edits if edit.path == "training.images" and type(edit.was) is int]
        return edited[0] if edited else self.run.recipe.training.images

    def warn_of_edits(self, exact: bool) -> None:
        """Warn of an edited recipe, and of another length with its effect on schedules and cadences.

        Raises:
            CheckpointError: ``exact``, and the recipe was edited or a schedule follows the length of the run.

        """
        path, edits = self.run.path / RECIPE, "; ".join(map(str, self.run.edits))
        if edits and exact:
            raise CheckpointError(f"{path}: was edited: {edits}; restore it, or leave out --exact")
        if edits:
            warnings.warn(f"{path}: was edited, and the run continues with the new recipe: {edits}", stacklevel=3)
        if self.recipe.training.images != self.length_before:
            self._warn_of_length(exact)

    def _warn_of_length(self, exact: bool) -> None:
        length, before, seen = self.recipe.training.images, self.length_before, self.run.images_seen
        effects = list(fates(self.recipe, before, seen))
        if exact and any(effect.follows for effect in effects):
            rule = "; ".join(effect.words for effect in effects if effect.follows)
            difference = f"the result would differ from that of {length:,} images from the start"
            raise CheckpointError(f"{self.run.path}: {difference}: {rule}; drop --exact")
        for effect in (*(effect.words for effect in effects), changed_cadences(self.recipe, before)):
            if effect:
                warnings.warn(f"{length:,} images instead of {before:,}: {effect}", stacklevel=4)

    def warn_of_environment(self, now: Mapping[str, Any], exact: bool) -> None:
        """Warn of what may change the result, or with ``exact`` raise CheckpointError; ``now`` is the provenance of today."""
        before = self.run.provenance
        if renamed := differing(*(names_of(recorded_classes(facts, None)) for facts in (before, now))):
            warnings.warn(f"{renamed}; the run keeps the names that it began with", stacklevel=3)
        reasons = list(inexact(before, now))
        if exact and reasons:
            rule = f"would not be bit-exact: {'; '.join(reasons)}"
            raise CheckpointError(f"{self.run.path}: {rule}; restore what it was, or leave out --exact")
        for reason in reasons:
            warnings.warn(f"not bit-exact: {reason}", stacklevel=3)

    def record(self, folder: RunFolder, components: Mapping[str, Any]) -> None:
        """Write what changes from here on; recipe.toml stays as it is unless a length or path was asked for.

        ``components`` are those of today's provenance. A component of another version only is recorded as before.
        """
        registry, before = self.run.registry, self.run.provenance
        now = recorded(self.recipe, registry)
        requested = list(differences(recorded(self.run.recipe, registry), now))
        if not (self.run.edits or requested):
            return
        change = {"images": self.run.images_seen, "what": [str(difference) for difference in (*self.run.edits, *requested)]}
        text = write_recipe(self.recipe, registry) if requested else folder.metadata()[RECIPE]
        old = before["components"]
        same = {path for path, new in components.items() if old.get(path, {}).get("name") == new["name"]}
        merged = {path: old[path] if path in same else new for path, new in components.items()}
        folder.write(text, {**before, "recipe": now, "components": merged, "changes": [*before.get("changes", ()), change]})


def with_length_and_data(recipe: Recipe, images: int | None, data: str | Path | None) -> Recipe:
    """Return the recipe without loggers, and with another length and another path of its data, each unless None."""
    recipe = without_loggers(recipe)
    recipe = recipe if data is None else with_data(recipe, Path(data))
    return recipe if images is None else attrs.evolve(recipe, training=attrs.evolve(recipe.training, images=images))


def changed_cadences(recipe: Recipe, before: int) -> str:
    """Return the cadences that differ from those of a length of ``before`` images, in words; empty if none does."""
    training, names = recipe.training, {"samples": "samples", "checkpoints": "checkpoints", "statistics": "singular values"}
    old = Cadences.of(attrs.evolve(recipe, training=attrs.evolve(training, images=before)))
    pairs = {title: (getattr(old, name).every, getattr(Cadences.of(recipe), name).every) for name, title in names.items()}
    return "; ".join(f"{title} every {now:,} images instead of {was:,}" for title, (was, now) in pairs.items() if was != now)
