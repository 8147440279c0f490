"""A Recipe -> canonical TOML, with every default written out."""

from __future__ import annotations

from typing import Any

import tomli_w

from ganblocks.options import unstructure
from ganblocks.recipe.schema import Recipe
from ganblocks.registry import Registry


def write_recipe(recipe: Recipe, registry: Registry) -> str:
    """Return TOML that reads back as an equal recipe with the same components, even if their defaults change."""
    return tomli_w.dumps(table_of(recipe, registry))


def table_of(recipe: Recipe, registry: Registry) -> dict[str, Any]:
    """Return what :func:`write_recipe` writes, as plain values."""
    table = unstructure(recipe, registry.name_of)
    for name, ablation in table["ablation"].items():
        table["ablation"][name] = {key: value for key, value in ablation.items() if value}
    if not table.get("evaluation", {}).get("diagnostics", True):
        del table["evaluation"]["diagnostics"]  # earlier versions had none: the text of their recipes stays the same
    return {key: value for key, value in table.items() if value != {}}
