"""The loggers of a run. A run folder keeps them apart from its recipe, because they are no part of what the run computes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs
import tomli_w

from ganblocks.options import structure, unstructure
from ganblocks.recipe.file import read_file
from ganblocks.recipe.read import name_terms
from ganblocks.recipe.schema import Loggers, Logging, Recipe
from ganblocks.registry import Registry


def named_loggers(names: Iterable[str], registry: Registry) -> dict[str, Logging]:
    """Return loggers of these names with their default options. Raise UnknownComponent, and what the registry does."""
    return {name.rpartition(":")[2]: Logging(logger=registry.create("logger", name)) for name in names}


def with_loggers(recipe: Recipe, names: Iterable[str], registry: Registry) -> Recipe:
    """Return the recipe with loggers of these names too; one that it has keeps its options."""
    return attrs.evolve(recipe, loggers={**named_loggers(names, registry), **recipe.loggers})


def without_loggers(recipe: Recipe) -> Recipe:
    """Return the recipe as a run folder keeps it."""
    return attrs.evolve(recipe, loggers={}) if recipe.loggers else recipe


def write_loggers(loggers: Mapping[str, Logging], registry: Registry) -> str:
    """Return TOML that :func:`read_loggers` reads back, and that a recipe may have as well."""
    return tomli_w.dumps(unstructure(Loggers(loggers=dict(loggers)), registry.name_of))


def read_loggers(path: Path, registry: Registry) -> dict[str, Logging]:
    """Return the loggers in a file, none if there is no such file. Raise RecipeError."""
    if not path.exists():
        return {}
    wanted: Loggers = structure(Loggers, name_terms(read_file(path).table), "", registry.get)
    return dict(wanted.loggers)
