"""What the command line and keyword arguments set on top of a recipe, as one more layer of it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzoo.errors import Problem
from ganzoo.recipe.keys import Key, dotted, parse_key
from ganzoo.recipe.source import Source, merge_sources


def with_overrides(source: Source, overrides: Sequence[str]) -> tuple[Source, list[Problem]]:
    """The recipe with `--set` strings ("KEY=VALUE") on top, and what is wrong with them."""
    settings, problems = [], []
    for override in overrides:
        where = f"--set {override}"
        path, equals, text = override.partition("=")
        try:
            if not equals:
                raise ValueError(override)
            settings.append((parse_key(path.strip()), _value(text.strip()), where))
        except ValueError:
            problems.append(Problem(where, "this should be KEY=VALUE.", "For example: --set generator.latent_dim=64"))
    whole, more = _on_top(source, settings)
    return whole, problems + more


def with_settings(source: Source, settings: Mapping[str, tuple[Any, str]]) -> tuple[Source, list[Problem]]:
    """The recipe with flags and keyword arguments on top: key path -> (value, where it comes from)."""
    parsed, problems = [], []
    for path, (value, where) in settings.items():
        try:
            parsed.append((parse_key(path), _plain(value), where))
        except ValueError:
            problems.append(Problem(where, f"{path} is not a key of a recipe."))
    whole, more = _on_top(source, parsed)
    return whole, problems + more


def _on_top(source: Source, settings: Sequence[tuple[Key, Any, str]]) -> tuple[Source, list[Problem]]:
    """All of them are one layer, so that their order does not matter; then what goes inside arrays that exist."""
    above, problems = Source(), []
    for key, value, where in settings:
        if any(isinstance(part, int) for part in key):
            continue
        if key[0] == "extends":
            problems.append(Problem(where, "extends belongs into a recipe file."))
        elif _put(above.values, key, value):
            above.places[key] = where
        else:
            problems.append(Problem(where, f"{dotted(key)} is inside of something that was set to a value.", TABLES))
    whole = merge_sources(source, above)
    for key, value, where in settings:
        if not any(isinstance(part, int) for part in key):
            continue
        whole.values = _copied(whole.values)
        if _put(whole.values, key, value):
            whole.places[key] = where
        else:
            problems.append(Problem(where, f"the recipe has no {dotted(key)}.", "Counting begins at [0]."))
    return whole, problems


def _put(holder: Any, key: Key, value: Any) -> bool:
    """Sets a key, making tables on the way; False where the way does not go through tables and arrays that exist."""
    for part, following in zip(key, (*key[1:], None), strict=True):
        if isinstance(part, int):
            if not isinstance(holder, list) or part >= len(holder):
                return False
        elif not isinstance(holder, dict) or (isinstance(following, int) and part not in holder):
            return False
        if following is None:
            holder[part] = value
        else:
            holder = holder[part] if isinstance(part, int) else holder.setdefault(part, {})
    return True


def _value(text: str) -> Any:
    """A TOML value; what is none is the text that it is, so that a command line needs no quotes in quotes."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _plain(value: Any) -> Any:
    """A Python value as TOML holds it."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


TABLES = "Set the whole table, or keys inside it, not both."
