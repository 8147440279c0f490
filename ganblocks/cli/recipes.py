"""Reading a recipe as the command line names it: a path, ``--set`` and ``--ablation``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganblocks.errors import RecipeError
from ganblocks.recipe import Recipe, parse_override, read_recipe
from ganblocks.registry import Registry


def read(registry: Registry, path: Path, sets: list[str], ablation: str | None) -> Recipe:
    return read_recipe(path, dict(map(parse_override, sets)), ablation, registry)


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Mistakes found after reading, which know their place in the recipe, get its file's name as well."""
    try:
        yield
    except RecipeError as error:
        raise RecipeError(error.mistakes, str(path)) from error
