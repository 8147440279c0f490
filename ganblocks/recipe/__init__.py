"""Recipes: a TOML file that names components, and what it becomes."""

from __future__ import annotations

from ganblocks.recipe.ablation import parse_override
from ganblocks.recipe.comparing import Difference, differences
from ganblocks.recipe.lengths import fates
from ganblocks.recipe.paths import paths_of, rooted, with_data
from ganblocks.recipe.read import read_recipe, recipe_from
from ganblocks.recipe.schema import Recipe
from ganblocks.recipe.write import table_of, write_recipe

__all__ = [
    "Difference",
    "Recipe",
    "differences",
    "fates",
    "parse_override",
    "paths_of",
    "read_recipe",
    "recipe_from",
    "rooted",
    "table_of",
    "with_data",
    "write_recipe",
]
