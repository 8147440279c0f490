"""Recipe -> game, updater and data. The only module that reads a whole recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import Any

import attrs
import torch
from attrs import frozen
from packaging.specifiers import SpecifierSet
from torch import nn

from ganblocks.batches import Batches
from ganblocks.devices import with_precision
from ganblocks.diversity import compared_images
from ganblocks.errors import GanblocksError, Mistake, PlacementError, RecipeError, UnfitSize
from ganblocks.game import Term, TwoPlayerGame
from ganblocks.kinds.component_capabilities import Checked, DifferentiatesTwice
from ganblocks.kinds.discriminator import Discriminator
from ganblocks.kinds.generator import Generator
from ganblocks.kinds.update_rule import Updater
from ganblocks.limits import how_to_raise, most_numbers, within_limits
from ganblocks.meta import on_meta
from ganblocks.options.fields import INLINE, options_of, socket_kind
from ganblocks.options.words import shown
from ganblocks.recipe import Recipe
from ganblocks.registry import Registry
from ganblocks.schedules import spanning
from ganblocks.seeding import seed_of, seeded
from ganblocks.site import Site
from ganblocks.sizes import Size, nearest_sizes
from ganblocks.values import Classes, Facts, ImageSpec, Player, Use


@frozen(eq=False)
class Session:
    """An assembled recipe, ready to train."""

    recipe: Recipe
    seed: int
    image: ImageSpec
    """With the class names of the opened data set."""
    facts: Facts
    game: TwoPlayerGame
    updater: Updater
    batches: Batches


def assemble(recipe: Recipe, registry: Registry, device: torch.device | str = "cpu", seed: int = 0) -> Session:
    """Build everything that a recipe names. Raise RecipeError if it cannot work, DataError if data is missing."""
    recipe = with_precision(spanning(recipe, recipe.training.images), device)
    facts = check(recipe, registry)
    game = build_game(recipe, facts.image, seed).to(device)
    images = recipe.data.dataset.open()
    image = attrs.evolve(facts.image, class_names=images.class_names or facts.image.class_names)
    game.compared = compared_images(len(images.split["train"]))
    augment = None if recipe.data.augment is None else recipe.data.augment.build()
    batches = Batches(
        images,
        recipe.training.batch,
        recipe.generator.latent,
        image.classes,
        uniform=recipe.data.fake_classes == "uniform",
        augment=augment,
        device=device,
        seed=seed,
    )
    return Session(recipe, seed, image, facts, game, recipe.update.start(game), batches)


def check(recipe: Recipe, registry: Registry) -> Facts:
    """Run all cross-checks, then build both networks on the meta device. Raise RecipeError with all mistakes of either."""
    facts = facts_of(recipe, registry)
    mistakes = [
        Mistake(use.path, f"{use.kind} {use.name}", complaint)
        for use in facts.uses
        if isinstance(use.component, Checked)
        for complaint in use.component.check(facts)
    ]
    mistakes += [*_oversized(recipe, facts.image), *_other_versions(recipe)]
    if mistakes:
        raise RecipeError(mistakes)
    errors = _placement_errors(recipe, facts.image)
    if unfit := [error for error in errors if isinstance(error, UnfitSize)]:  # other errors may follow from the size
        raise RecipeError([_refused_size(recipe, facts.image, unfit)])
    if errors:
        raise RecipeError([Mistake(error.where, "", error.rule, error.hint) for error in errors])
    return facts


def _placement_errors(recipe: Recipe, image: ImageSpec) -> list[PlacementError]:
    """Return why networks cannot be built for such images, tried on the meta device."""
    errors = []
    with on_meta():
        for build in (build_generator, build_discriminator):
            try:
                build(recipe, image, seed=0)
            except PlacementError as error:
                errors.append(error)
    return errors


def _refused_size(recipe: Recipe, image: ImageSpec, unfit: list[UnfitSize]) -> Mistake:
    """Return the mistake of a size that a network cannot have, with the nearest sizes that would work."""
    rule = f"the {unfit[0].where} {unfit[0].rule}"
    if "size" not in options_of(type(recipe.data.dataset)):
        return Mistake("data.use", "", rule, "the size of this data set cannot be set: use another one, or another network")
    hint = " or ".join(f"data.size = {shown(size)}" for size in _sizes_that_work(recipe, image, list(unfit)))
    return Mistake("data.size", "", rule, f"set {hint}" if hint else "no size helps: use another data set, or another network")


def _sizes_that_work(recipe: Recipe, image: ImageSpec, refusing: list[UnfitSize]) -> list[Size]:
    """Return the nearest smaller and larger sizes that the data set and both networks can have."""

    def fits(size: Size) -> bool:
        return _has(recipe.data.dataset, size) and all(error.fits(size) for error in refusing)

    sizes = nearest_sizes(image.size, fits)
    for _ in Player:  # a network that accepted the first size may refuse these
        errors = [error for size in sizes for error in _placement_errors(recipe, attrs.evolve(image, size=size))]
        refusing += [error for error in errors if isinstance(error, UnfitSize)]
        sizes = nearest_sizes(image.size, fits)
    return sizes


def _has(dataset: Any, size: Size) -> bool:
    """Return whether a data set can have another size."""
    try:
        return bool(attrs.evolve(dataset, size=size).describe().size == size)
    except (ValueError, TypeError, GanblocksError):
        return False


def _oversized(recipe: Recipe, image: ImageSpec) -> Iterator[Mistake]:
    """Yield what would need more memory than the limits allow, in a step or for scoring."""
    pixels, samples = prod(image.shape), 0 if recipe.evaluation is None else recipe.evaluation.n or 0
    counts = {
        "data": (pixels, "the numbers of one image"),
        "training.batch": (recipe.training.batch * max(pixels, recipe.generator.latent), "the numbers of one batch"),
        "evaluation.n": (samples * pixels, "the numbers of all samples"),
    }
    for where, (count, what) in counts.items():
        if count > most_numbers():
            yield Mistake(where, f"{count:,}", f"{what} must be at most {most_numbers():,}", how_to_raise())


def _other_versions(recipe: Recipe) -> Iterator[Mistake]:
    """Yield distributions that are missing or of a version that the recipe does not allow."""
    for name, versions in recipe.plugins.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            yield Mistake(f"plugins.{name}", versions, "is not installed", f'pip install "{name}{versions}"')
            continue
        if not SpecifierSet(versions).contains(installed, prereleases=True):
            yield Mistake(f"plugins.{name}", versions, f"{installed} is installed", f'pip install "{name}{versions}"')


def facts_of(recipe: Recipe, registry: Registry) -> Facts:
    """Return what components may ask about a recipe."""
    uses = (Use(path, kind, registry.name_of(kind, part), part) for path, kind, part in components(recipe))
    training, scored = recipe.training, None if recipe.evaluation is None else recipe.evaluation.n
    return Facts(recipe.data.dataset.describe(), tuple(uses), training.batch, training.microbatch, real=scored, fake=scored)


def components(value: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield (dotted path, kind, component) of every component inside ``value``, at any depth."""
    for attribute in attrs.fields(type(value)):
        part = getattr(value, attribute.name)
        kind = socket_kind(attribute)
        # the options of a section's own component are entries of the section
        part_path = path if attribute.metadata.get(INLINE) else f"{path}.{attribute.name}".strip(".")
        for item_path, item in _items(part, part_path):
            if kind is not None:
                yield item_path, kind, item
            yield from components(item, item_path)


def _items(part: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the attrs instances in a field: itself, or the values of a mapping."""
    if isinstance(part, Mapping):
        for key, item in part.items():
            yield from _items(item, f"{path}.{key}")
    elif attrs.has(type(part)):
        yield path, part


def build_game(recipe: Recipe, image: ImageSpec, seed: int) -> TwoPlayerGame:
    """Build both networks and their objectives on the CPU: initial values do not depend on the device."""
    terms = [Term(name, term.penalty, term.penalty.build(), term.weight, term.every) for name, term in recipe.penalties.items()]
    chosen = recipe.discriminator.augment
    augment = None if chosen is None else chosen.build()
    networks = {
        Player.GENERATOR: build_generator(recipe, image, seed),
        Player.DISCRIMINATOR: build_discriminator(recipe, image, seed),
    }
    return TwoPlayerGame(networks, recipe.loss, terms, augment, recipe.training.microbatch, recipe.training.precision)


def build_generator(recipe: Recipe, image: ImageSpec, seed: int) -> nn.Module:
    """Build a recipe's generator for such images."""
    return _network(recipe.generator, image, _root(recipe, image, Player.GENERATOR, seed))


def build_discriminator(recipe: Recipe, image: ImageSpec, seed: int) -> nn.Module:
    """Build a recipe's discriminator for such images."""
    return _network(recipe.discriminator.network, image, _root(recipe, image, Player.DISCRIMINATOR, seed))


def _network(component: Generator | Discriminator, image: ImageSpec, site: Site) -> nn.Module:
    """Build a network, first on the meta device to apply the limits; torch's global random numbers are seeded by its player."""
    with within_limits(site.path), seeded(seed_of(site.seed, site.path)), on_meta():
        network = component.build(image, site)
    if torch.get_default_device().type != "meta":
        with seeded(seed_of(site.seed, site.path)):
            network = component.build(image, site)
    return network.to(memory_format=torch.channels_last)


def _root(recipe: Recipe, image: ImageSpec, player: Player, seed: int) -> Site:
    """Return the root site of a player's network.

    Second derivatives are needed for penalties of gradients at the images, and for update rules that differentiate gradients
    (the recipe's, or one that it wraps).
    """
    twice = any(isinstance(part, DifferentiatesTwice) for _, _, part in components(recipe)) or any(
        term.penalty.reads_image_gradient for term in recipe.penalties.values()
    )
    return Site(
        channels=image.channels,
        size=image.size,
        image_channels=image.channels,
        player=player,
        path=str(player),
        condition=Classes(image.classes) if image.classes else None,
        twice_differentiable=twice,
        seed=seed,
    )
