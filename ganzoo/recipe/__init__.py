"""Recipes: reading, checking, saving and comparing them."""

from ganzoo.recipe.resolve import read_recipe
from ganzoo.recipe.saved import differences, recipe_toml

__all__ = ["differences", "read_recipe", "recipe_toml"]
