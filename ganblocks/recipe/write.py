"""A Recipe -> canonical TOML, or the table that it says: resolved, with every default written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomli_w

from ganblocks.options import unstructure
from ganblocks.recipe.schema import Recipe

if TYPE_CHECKING:
    from ganblocks.registry import Registry


def write_recipe(recipe: Recipe, registry: Registry | None = None) -> str:
    """TOML that reads back as an equal recipe, on any machine with the same components, whatever their defaults become.

    Args:
        recipe: from a file or built in Python.
        registry: knows the names of its components; by default :func:`ganblocks.discover`.

    """
    if registry is None:
        from ganblocks.plugins import discover

        registry = discover()
    return tomli_w.dumps(table_of(recipe, registry))


def table_of(recipe: Recipe, registry: Registry) -> dict[str, Any]:
    """What :func:`write_recipe` writes, as plain values."""
    table = unstructure(recipe, registry.name_of)
    for name, ablation in table["ablation"].items():
        table["ablation"][name] = {key: value for key, value in ablation.items() if value}
    if not table.get("evaluation", {}).get("diagnostics", True):
        del table["evaluation"]["diagnostics"]  # earlier versions had none: the text of their recipes stays the same
    return {key: value for key, value in table.items() if value != {}}
