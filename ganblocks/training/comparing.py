"""What a run was made with, held against what it is read with now."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganblocks.errors import CheckpointError, DataError, GanblocksError
from ganblocks.recipe import Difference, Recipe, differences, paths_of, read_recipe, recipe_from, table_of
from ganblocks.registry import Registry
from ganblocks.training.checkpoint import in_order
from ganblocks.training.reading import read_json
from ganblocks.training.run_folder import PROVENANCE, RECIPE
from ganblocks.values import Images

MOST_THREADS = 1024
MAKES_IMAGES = ("generator.", "data.")
"""Entries that say what the weights of a generator mean."""


def recorded(recipe: Recipe, registry: Registry) -> dict[str, Any]:
    """What provenance keeps of a recipe: every entry but its ablations, which change nothing where they are not asked for."""
    return {key: value for key, value in table_of(recipe, registry).items() if key != "ablation"}


def read_provenance(run: Path) -> dict[str, Any]:
    """The provenance of a run. Raises CheckpointError where it is missing or damaged."""
    try:
        facts: dict[str, Any] = read_json(run / PROVENANCE, _is_provenance)
    except CheckpointError as error:
        raise CheckpointError(f"{run / PROVENANCE}: missing or damaged; without it the seed is not known") from error
    return facts


def _is_provenance(facts: Any) -> bool:
    """Everything that is used of it, of the types that it was written with."""
    owners = [each[part] for each in facts["components"].values() for part in ("name", "distribution", "version")]
    origin = facts.get("init_from", {"run": "", "manifest": ""})
    texts = (facts["device"], facts["data"], *owners, origin["run"], origin["manifest"])
    counts = type(facts["threads"]) is int and 1 <= facts["threads"] <= MOST_THREADS and type(facts["seed"]) is int
    tables = isinstance(facts.get("recipe", {}), dict) and isinstance(facts.get("changes", []), list)
    return counts and tables and abs(facts["seed"]) < 2**63 and all(isinstance(text, str) for text in texts)


def recipe_changes(run: Path, recipe: Recipe, registry: Registry, facts: Mapping[str, Any]) -> list[Difference]:
    """Where a recipe differs from that which the run has recorded; nothing where nothing was recorded."""
    then = _before(run, registry, facts)
    return [] if then is None else list(differences(then, recorded(recipe, registry)))


def _before(run: Path, registry: Registry, facts: Mapping[str, Any]) -> Any:
    """The recorded recipe, with the defaults that were added since. Runs of earlier versions have it in their checkpoints."""
    try:
        if "recipe" in facts:
            return recorded(recipe_from(facts["recipe"], registry), registry)
        newest = in_order(run / "checkpoints")[-1:]
        return recorded(read_recipe(newest[0] / RECIPE, registry=registry), registry) if newest else None
    except GanblocksError:  # components have other options now
        return facts.get("recipe")


def warn_of_changes(run: Path, recipe: Recipe, registry: Registry) -> None:
    """Warn where the generator or the data of a recipe are not those that the run was trained with."""
    try:
        facts = read_provenance(run)
    except CheckpointError:
        facts = {}
    changes = recipe_changes(run, recipe, registry, facts)
    if found := "; ".join(str(each) for each in changes if f"{each.path}.".startswith(MAKES_IMAGES)):
        warnings.warn(f"{run / RECIPE}: is not what these weights were trained with: {found}", stacklevel=3)


def same_images(fingerprint: str, images: Images) -> bool:
    """Whether a recorded fingerprint is that of these images; one of an import, which saw none, is that of any."""
    if fingerprint in images.former and fingerprint != images.fingerprint:
        warnings.warn(f"this run has recorded the images as {fingerprint[:12]}…, which earlier versions computed", stacklevel=2)
    return fingerprint in ("", images.fingerprint, *images.former)


def refuse_other_images(run: Path, fingerprint: str, images: Images, remedy: str) -> None:
    """Raise DataError, naming both fingerprints, where the images are not those that the run has seen."""
    if not same_images(fingerprint, images):
        both = f"they were {fingerprint}, and here are {images.fingerprint}"
        raise DataError(f"{run}: the images are not those that this run has seen ({both}); {remedy}")


@contextmanager
def naming_data(run: Path, recipe: Recipe, command: str) -> Iterator[None]:
    """Within it a DataError says how to tell where images are now, if the data set has a path."""
    try:
        yield
    except DataError as error:
        if not paths_of(recipe.data.dataset):
            raise
        how = f"ganblocks {command} {shlex.quote(str(run))} --data PATH"
        raise DataError(f"{error}\nif the images of this run have moved, say where they are now: {how}") from error
