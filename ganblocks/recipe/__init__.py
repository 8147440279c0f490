"""Recipes: a TOML file that names components, and what it becomes."""

from __future__ import annotations

from ganblocks.recipe.ablation import parse_override
from ganblocks.recipe.read import read_recipe
from ganblocks.recipe.schema import Recipe
from ganblocks.recipe.write import write_recipe

__all__ = ["Recipe", "parse_override", "read_recipe", "write_recipe"]
