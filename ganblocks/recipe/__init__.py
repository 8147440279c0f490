"""Recipes: a TOML file that names components, and what it becomes."""

from __future__ import annotations

from ganblocks.recipe.ablation import parse_override
from ganblocks.recipe.comparing import Difference, differences
from ganblocks.recipe.lengths import fates
from ganblocks.recipe.loggers import named_loggers, read_loggers, with_loggers, without_loggers, write_loggers
from ganblocks.recipe.paths import paths_of, rooted, with_data
from ganblocks.recipe.read import read_recipe, recipe_from
from ganblocks.recipe.schema import Logging, Recipe
from ganblocks.recipe.write import table_of, write_recipe

__all__ = [
    "Difference",
    "Logging",
    "Recipe",
    "differences",
    "fates",
    "named_loggers",
    "parse_override",
    "paths_of",
    "read_loggers",
    "read_recipe",
    "recipe_from",
    "rooted",
    "table_of",
    "with_data",
    "with_loggers",
    "without_loggers",
    "write_loggers",
    "write_recipe",
]
