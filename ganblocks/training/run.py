"""A run folder opened for reading: recipe, provenance, newest good checkpoint, log, events, scores and classes."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen
from torch import Tensor, nn

from ganblocks.assembly import build_discriminator, build_generator
from ganblocks.devices import pick_device
from ganblocks.errors import CheckpointError, DataError, GanblocksError, UnknownComponent
from ganblocks.plugins import discover
from ganblocks.recipe import Difference, Recipe, differences, paths_of, read_recipe, recipe_from
from ganblocks.registry import Registry
from ganblocks.training.batch_statistics import estimate_statistics
from ganblocks.training.checkpoint import (
    Checkpoint,
    has_own_statistics,
    images_seen,
    in_order,
    latest,
    load_tensors,
    read_checkpoint,
)
from ganblocks.training.class_tables import of_player
from ganblocks.training.classes import counts_of, names_of, recorded_classes
from ganblocks.training.health import read_health
from ganblocks.training.provenance import is_provenance, recorded
from ganblocks.training.reading import read_json, refuse_other_types
from ganblocks.training.run_folder import PROVENANCE, RECIPE, SCORES, read_metrics
from ganblocks.training.sampler import Sampler
from ganblocks.values import ClassCount, Images, ImageSpec, Player

MAKES_IMAGES = ("generator.", "data.")
"""Entries of a recipe that decide what the weights of a generator mean."""


@frozen(eq=False)
class Run:
    """A run folder, opened for reading.

    Each file is read when it is first needed and only once, and the newest checkpoint is verified once: later changes of the
    folder are not seen.
    """

    path: Path
    registry: Registry
    """Where the recipe's components come from."""
    recipe: Recipe
    """recipe.toml as it is now."""
    _facts: Any = field(repr=False)
    """provenance.json, not validated; None if it cannot be read."""

    @classmethod
    def open(cls, path: str | Path, registry: Registry | None = None) -> Run:
        """Open the folder of a run, finished or not; ``registry`` is by default that of :func:`ganblocks.discover`.

        Raises:
            CheckpointError: the folder holds no run, or a component that the run used is not installed.
            RecipeError: recipe.toml was edited and is wrong.

        """
        path, registry = Path(path), registry or discover()
        if not (path / RECIPE).is_file():
            fix = "if the run was stopped before it had written its recipe, start it again with the same ganblocks run"
            raise CheckpointError(f"{path}: no {RECIPE} here; is this a run folder? {fix}")
        facts = _read_or_none(path / PROVENANCE)
        _refuse_missing(path, facts, registry)
        return cls(path, registry, read_recipe(path / RECIPE, registry=registry), facts)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """provenance.json: versions, seed, device, fingerprint of the images. Raise CheckpointError if missing or damaged."""
        if not is_provenance(self._facts):
            raise CheckpointError(f"{self.path / PROVENANCE}: missing or damaged; without it the seed is not known")
        facts: dict[str, Any] = self._facts
        return facts

    def up_to_date(self) -> Run:
        """Return this run, or if another process has written a checkpoint since it was opened, the run opened anew."""
        return self if in_order(self.path / "checkpoints") == self._checkpoints else Run.open(self.path, self.registry)

    @cached_property
    def _checkpoints(self) -> list[Path]:
        return in_order(self.path / "checkpoints")

    @cached_property
    def newest(self) -> Path | None:
        """The newest good checkpoint; None if none was written yet. Raise CheckpointError if all of them are damaged."""
        return latest(self.path) if self._checkpoints else None

    @property
    def checkpoint(self) -> Path:
        """The newest good checkpoint. Raise CheckpointError if there is none."""
        return self.newest or latest(self.path)

    @property
    def images_seen(self) -> int:
        """Images seen by the newest good checkpoint; 0 if none was written yet."""
        return 0 if self.newest is None else images_seen(self.newest)

    def read_checkpoint(self) -> Checkpoint:
        """Read the newest good checkpoint. The result is not kept here, so that its memory is free once it is restored."""
        return read_checkpoint(self.checkpoint)

    @cached_property
    def edits(self) -> tuple[Difference, ...]:
        """Where recipe.toml differs from the recipe that the run recorded; empty if it recorded none."""
        before = self._recorded_recipe()
        return () if before is None else tuple(differences(before, recorded(self.recipe, self.registry)))

    @cached_property
    def classes(self) -> tuple[ClassCount, ...]:
        """The classes of the training images; without counts, from the data set, if the run recorded none."""
        return recorded_classes(self._facts, self.recipe.data.dataset.describe())

    @property
    def image(self) -> ImageSpec:
        """Size, channels and classes of the images, with the names of the classes if known."""
        return attrs.evolve(self.recipe.data.dataset.describe(), class_names=names_of(self.classes))

    @cached_property
    def log(self) -> list[dict[str, Any]]:
        """The records of metrics.jsonl, one per step."""
        return read_metrics(self.path)

    @cached_property
    def health(self) -> dict[str, Any]:
        """``events``, and after the end of the run ``gates``, of health.json."""
        return read_health(self.path)

    @cached_property
    def scores(self) -> list[Any]:
        """The reports of scores.json as plain JSON, oldest first. Raise CheckpointError if the file is damaged."""
        path = self.path / SCORES
        return read_json(path, lambda reports: isinstance(reports, list)) if path.is_file() else []

    def trained_on(self, images: Images) -> bool:
        """Return whether the run was trained on these images; one that was imported, and saw none, fits any."""
        fingerprint = self.provenance["data"]
        if fingerprint in images.former and fingerprint != images.fingerprint:
            warnings.warn(f"the fingerprint {fingerprint[:12]}… of this run's images is of earlier versions", stacklevel=2)
        return fingerprint in ("", images.fingerprint, *images.former)

    def refuse_other_images(self, images: Images, fix: str) -> None:
        """Raise DataError, naming both fingerprints and the ``fix``, if the run was trained on other images."""
        if not self.trained_on(images):
            both = f"they were {self.provenance['data']}, and here are {images.fingerprint}"
            raise DataError(f"{self.path}: the images are not those that this run has seen ({both}); {fix}")

    @contextmanager
    def naming_data(self, command: str) -> Iterator[None]:
        """Add to a DataError of the block how to tell ``command`` where the images are, if the data set has a path."""
        try:
            yield
        except DataError as error:
            if not paths_of(self.recipe.data.dataset):
                raise
            fix = f"ganblocks {command} {shlex.quote(str(self.path))} --data PATH"
            raise DataError(f"{error}\nif the images of this run have moved, say where they are now: {fix}") from error

    def sampler(self, device: str = "cpu", weights: str = "average") -> Sampler:
        """Return a sampler of the generator; see :func:`load`."""
        self._warn_of_edits()
        tensors = self._generator(weights)
        network = self._loaded(build_generator(self.recipe, self.recipe.data.dataset.describe(), seed=0), tensors)
        latent = self.recipe.generator.latent
        sampler = Sampler(network.to(pick_device(device)), latent, self.image, counts_of(self.classes))
        if weights == "average" and not has_own_statistics(self.checkpoint):
            self._estimate_statistics(sampler)
        return sampler

    def discriminator(self, device: str = "cpu") -> nn.Module:
        """Return the discriminator in evaluation mode. Raise CheckpointError as :func:`load` does."""
        self._warn_of_edits()
        tensors = of_player(load_tensors(self.checkpoint, "game"), Player.DISCRIMINATOR)
        network = self._loaded(build_discriminator(self.recipe, self.recipe.data.dataset.describe(), seed=0), tensors)
        return network.to(pick_device(device)).eval()

    def _loaded(self, network: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
        """Return the network with the weights. Raise CheckpointError if they are of another."""
        refuse_other_types(self.checkpoint, network.state_dict(), tensors)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            rule = "these weights do not fit the network of recipe.toml"
            raise CheckpointError(f"{self.checkpoint}: {rule}: {error}") from error
        return network

    def _generator(self, weights: str) -> dict[str, Tensor]:
        if weights == "average":
            return load_tensors(self.checkpoint, "average")
        return of_player(load_tensors(self.checkpoint, "game"), Player.GENERATOR)

    def _estimate_statistics(self, sampler: Sampler) -> None:
        if estimate_statistics(sampler.network, sampler.representative()):
            rule = "made by an earlier ganblocks, which saved the average with batch-norm statistics of the live generator"
            effect = "they are estimated again, so samples and scores differ from those of that version"
            warnings.warn(f"{self.path}: {rule}; {effect}", stacklevel=3)

    def _warn_of_edits(self) -> None:
        if edits := "; ".join(str(edit) for edit in self.edits if f"{edit.path}.".startswith(MAKES_IMAGES)):
            warnings.warn(f"{self.path / RECIPE}: is not what these weights were trained with: {edits}", stacklevel=3)

    def _recorded_recipe(self) -> Any:
        """The recorded recipe, with the defaults that were added since. Earlier versions have it in their checkpoints only."""
        facts, checkpoints = self._facts if is_provenance(self._facts) else {}, in_order(self.path / "checkpoints")
        try:
            if "recipe" in facts:
                return recorded(recipe_from(facts["recipe"], self.registry), self.registry)
            if not checkpoints:
                return None
            return recorded(read_recipe(checkpoints[-1] / RECIPE, registry=self.registry), self.registry)
        except GanblocksError:  # components have other options now
            return facts.get("recipe")


def load(path: str | Path, device: str = "cpu", registry: Registry | None = None, weights: str = "average") -> Sampler:
    """Return the generator of a run, in evaluation mode, to sample from. Only the run folder is needed.

    Args:
        path: the run folder.
        device: as in :func:`ganblocks.run`.
        registry: where the recipe's components come from; by default :func:`ganblocks.discover`.
        weights: ``"average"``, the moving average, or ``"live"``, the weights as trained.

    Raises:
        CheckpointError: the folder is no run, has no checkpoint yet, or its weights do not fit its recipe.

    """
    return Run.open(path, registry).sampler(device, weights)


def class_names(path: Path, registry: Registry | None = None) -> tuple[str, ...]:
    """Return the names of a run's classes, from its provenance, or with a ``registry`` from its data set; () if unknown.

    Unlike :attr:`Run.classes` this needs no component to be installed.
    """
    facts, image = _read_or_none(path / PROVENANCE), None
    if registry is not None:
        try:
            image = Run.open(path, registry).recipe.data.dataset.describe()
        except GanblocksError:
            image = None
    return names_of(recorded_classes(facts, image))


def _read_or_none(path: Path) -> Any:
    try:
        return read_json(path)
    except CheckpointError:
        return None


def _refuse_missing(path: Path, facts: Any, registry: Registry) -> None:
    """Raise CheckpointError, naming the distribution to install, if a component of the run is not available."""
    try:
        parts = ("kind", "name", "distribution", "version")
        uses = {tuple(str(use[part]) for part in parts) for use in facts["components"].values()}
    except (KeyError, TypeError, AttributeError):
        return  # reading the recipe reports what is missing
    for kind, name, distribution, version in sorted(uses, key=str):
        try:
            registry.find(registry.kind_of_metric(name) if kind == "metric" else kind, name)
        except UnknownComponent as error:
            rule = f"needs the {kind} {name!r} of {distribution} {version}"
            raise CheckpointError(f"{path}: {rule}, which is not here: {_how_to_add(distribution)}") from error


def _how_to_add(distribution: str) -> str:
    """Return how to make the components of a distribution available: a package, or a single file added with ``-p``."""
    if distribution.endswith(".py"):
        return f"give -p {distribution}, or where that file is now, before the command's name"
    return f"install {distribution}, or add its file with -p" if distribution else "pass the registry that offers it"
