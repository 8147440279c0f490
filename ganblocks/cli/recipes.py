"""Reading a recipe as the command line names it: a path, ``--set`` and ``--ablation``."""

from __future__ import annotations

from pathlib import Path

from ganblocks.recipe import Recipe, parse_override, read_recipe
from ganblocks.registry import Registry


def read(registry: Registry, path: Path, sets: list[str], ablation: str | None) -> Recipe:
    return read_recipe(path, dict(map(parse_override, sets)), ablation, registry)
