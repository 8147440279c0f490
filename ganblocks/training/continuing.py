"""A run as its folder says it, and as it shall go on from here."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from ganblocks.errors import CheckpointError, UsageError
from ganblocks.recipe import Difference, Recipe, differences, fates, with_data, write_recipe
from ganblocks.registry import Registry
from ganblocks.training.checkpoint import Checkpoint, in_order, latest, load_checkpoint
from ganblocks.training.comparing import read_provenance, recipe_changes, recorded
from ganblocks.training.lengthening import cadences
from ganblocks.training.run_folder import RECIPE, RunFolder
from ganblocks.training.runs import recipe_of


@frozen(eq=False)
class Continuation:
    """What a run was, what it has reached, and what is wanted of it now."""

    run: Path
    facts: Mapping[str, Any]
    """Its provenance."""
    written: Recipe
    """Of its recipe.toml, as it stands there now."""
    recipe: Recipe
    """The same with the length, and the place of the data, that are asked for."""
    edits: tuple[Difference, ...]
    """Between what the run recorded and recipe.toml."""
    start: Checkpoint | None
    """None where it was stopped before its first one: it begins again."""

    @classmethod
    def of(cls, run: Path, registry: Registry, images: int | None, data: str | Path | None) -> Continuation:
        """Read it from the folder of a run that stands still. Raises CheckpointError where that is none, or is damaged."""
        facts, written = read_provenance(run), recipe_of(run, registry)
        edits = tuple(recipe_changes(run, written, registry, facts))
        found = cls(run, facts, written, asked(written, images, data), edits, newest(run))
        if found.recipe.training.images <= found.seen and (images is not None or found.recipe.training.images != found.before):
            rule = f"{found.recipe.training.images:,} images are asked for, and this run has seen {found.seen:,}"
            raise UsageError(f"{run}: {rule}; to train longer say more, such as --images {2 * found.seen}")
        return found

    @property
    def seen(self) -> int:
        return self.start.images_seen if self.start else 0

    @property
    def before(self) -> int:
        """How long the run should have been until now."""
        lengths = [each.was for each in self.edits if each.path == "training.images" and type(each.was) is int]
        return lengths[0] if lengths else self.written.training.images

    def warn(self, exact: bool) -> None:
        """Say what was edited, and what becomes of a run of another length.

        Raises:
            CheckpointError: ``exact``, and something was edited, or a schedule follows the length of the run.

        """
        path, found = self.run / RECIPE, "; ".join(map(str, self.edits))
        if found and exact:
            raise CheckpointError(f"{path}: was edited: {found}; restore it, or leave out --exact")
        if found:
            warnings.warn(f"{path}: was edited, and the run goes on as another one: {found}", stacklevel=3)
        if self.recipe.training.images != self.before:
            self._warn_of_length(exact)

    def _warn_of_length(self, exact: bool) -> None:
        became, length = list(fates(self.recipe, self.before, self.seen)), self.recipe.training.images
        if exact and any(each.follows for each in became):
            rule = "; ".join(each.words for each in became if each.follows)
            raise CheckpointError(f"{self.run}: would not be what {length:,} images from the start give: {rule}; drop --exact")
        for words in (*(each.words for each in became), cadences(self.recipe, self.before)):
            if words:
                warnings.warn(f"{length:,} images instead of {self.before:,}: {words}", stacklevel=4)

    def record(self, folder: RunFolder, registry: Registry, components: Mapping[str, Any]) -> None:
        """Write down what is another from here on; recipe.toml stays as it is unless something was asked for.

        Args:
            folder: of the run.
            registry: knows the names of components.
            components: what provenance says of them now. Where only a version is another one, the run keeps that which it had.
        """
        now = recorded(self.recipe, registry)
        wanted = list(differences(recorded(self.written, registry), now))
        if not (self.edits or wanted):
            return
        change = {"images": self.seen, "what": [str(each) for each in (*self.edits, *wanted)]}
        text = write_recipe(self.recipe, registry) if wanted else folder.metadata()[RECIPE]
        old = self.facts["components"]
        kept = {
            place: old[place] if old.get(place, {}).get("name") == new["name"] else new for place, new in components.items()
        }
        changes = [*self.facts.get("changes", ()), change]
        folder.write(text, {**self.facts, "recipe": now, "components": kept, "changes": changes})


def asked(recipe: Recipe, images: int | None, data: str | Path | None) -> Recipe:
    """The recipe of a run, with the length and the place of the data that are asked for now."""
    recipe = recipe if data is None else with_data(recipe, Path(data))
    return recipe if images is None else attrs.evolve(recipe, training=attrs.evolve(recipe.training, images=images))


def newest(run: Path) -> Checkpoint | None:
    """The newest good checkpoint; None where there is none at all, so that a run begins again."""
    return load_checkpoint(latest(run)) if in_order(run / "checkpoints") else None
