"""The complete recipe as TOML, with all defaults, and the differences between two recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tomlkit

from ganzoo.recipe.keys import Key, format_key
from ganzoo.recipe.messages import format_value
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.source import is_tables


def recipe_toml(recipe: Recipe, *, note: str = "") -> str:
    """The whole recipe as TOML; reading it returns an equal recipe. note: lines to stand above it as a comment."""
    return "".join(f"# {line}\n" for line in note.splitlines()) + tomlkit.dumps(recipe.values)


def differences(old: Recipe | Mapping[str, Any], new: Recipe | Mapping[str, Any]) -> list[str]:
    """The differences between two recipes (or their `values`): "generator.hidden: [256, 512] -> [256]"."""
    before, after = (dict(leaves(side.values if isinstance(side, Recipe) else side)) for side in (old, new))
    return [
        f"{format_key(key)}: {format_value(before[key]) if key in before else 'nothing'}"
        f" -> {format_value(after[key]) if key in after else 'nothing'}"
        for key in dict.fromkeys([*before, *after])
        if key not in before or key not in after or before[key] != after[key]
    ]


def leaves(values: Mapping[str, Any], at: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every value with its key, from nested tables and arrays of tables: (("regularizer", 0, "weight"), 10.0)."""
    for name, value in values.items():
        key = (*at, name)
        if isinstance(value, Mapping):
            yield from leaves(value, key)
        elif is_tables(value):
            for number, item in enumerate(value):
                yield from leaves(item, (*key, number))
        else:
            yield key, value
