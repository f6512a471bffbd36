"""The recipe that ran, as a file: every default spelled out, and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tomlkit

from ganzoo.recipe.model import Recipe


def recipe_toml(recipe: Recipe) -> str:
    """The whole recipe as TOML; reading it gives an equal recipe."""
    return tomlkit.dumps(recipe.values)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Two recipes' values, key by key: "generator.hidden: [256, 512] -> [256]"."""
    before, after = dict(leaves(old)), dict(leaves(new))
    return [
        f"{path}: {before.get(path, 'nothing')} -> {after.get(path, 'nothing')}"
        for path in dict.fromkeys([*before, *after])
        if path not in before or path not in after or before[path] != after[path]
    ]


def leaves(values: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Every value with its key path, tables and arrays of tables opened: ("regularizer[0].weight", 10.0)."""
    for key, value in values.items():
        path = f"{at}.{key}" if at else key
        if isinstance(value, Mapping):
            yield from leaves(value, path)
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value):
                yield from leaves(item, f"{path}[{number}]")
        else:
            yield path, value
