"""Read the recipe of a command: a path, ``--set`` and ``--ablation``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from ganblocks.errors import RecipeError
from ganblocks.recipe import Recipe, parse_override, read_recipe
from ganblocks.registry import Registry


class RecipeOptions(Protocol):
    """The options of a command that reads a recipe."""

    @property
    def recipe(self) -> Path:
        """The recipe's file."""

    @property
    def sets(self) -> list[str]:
        """Overrides of the form ``path=value``."""

    @property
    def ablation(self) -> str | None:
        """The ablation to apply."""


def read(registry: Registry, options: RecipeOptions) -> Recipe:
    """Return the recipe that a command names, with ``--set`` and ``--ablation`` applied."""
    return read_recipe(options.recipe, dict(map(parse_override, options.sets)), options.ablation, registry=registry)


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Add the file's name to mistakes that the block finds after reading."""
    try:
        yield
    except RecipeError as error:
        raise RecipeError(error.mistakes, str(path)) from error
