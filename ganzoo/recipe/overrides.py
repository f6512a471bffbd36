"""What the command line and keyword arguments unset and set in a recipe, on top of what its file says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzoo.errors import Problem
from ganzoo.recipe.keys import Key, dotted, parse_key
from ganzoo.recipe.source import UNSET, Source, merge_sources
from ganzoo.recipe.unset import close_gaps, copied, has, located, nearest_key, take_out

Setting = tuple[Key, Any, str]
"""A key, its value, and where that comes from."""


def laid_on_top(
    source: Source,
    *,
    unset: Iterable[str] = (),
    overrides: Iterable[str] = (),
    settings: Mapping[str, tuple[Any, str]] | None = None,
) -> tuple[Source, list[Problem]]:
    """The recipe without what is unset and with the rest on top, and what is wrong with any of it.

    unset: keys, as --unset takes them; overrides: "KEY=VALUE", as --set takes them; settings: key path -> (value, where
    it comes from), for flags and keyword arguments, which win. Whatever is unset, numbers count in arrays as they are
    in `source`.
    """
    whole = Source(copied(source.values), dict(source.places), source.file)
    keys, problems = _taken_out(whole, unset)
    for parsed, wrong in (_overrides(overrides), _settings(settings or {})):
        whole, more = _on_top(whole, parsed)
        problems += wrong + more
    whole.places = close_gaps(whole.values, whole.places, keys)
    return whole, problems


def _taken_out(whole: Source, unset: Iterable[str]) -> tuple[list[Key], list[Problem]]:
    keys: dict[Key, str] = {}
    problems = []
    for text in (unset,) if isinstance(unset, str) else unset:
        try:
            keys[located(whole.values, parse_key(text.strip()))] = text
        except ValueError:
            problems.append(Problem(f"--unset {text}", "this should be a KEY.", "For example: --unset ema"))
    before = copied(whole.values)
    for key in take_out(whole.values, whole.places, keys):
        what = f"the recipe does not set {dotted(key)}."
        problems.append(Problem(f"--unset {keys[key]}", what, nearest_key(before, key)))
    return list(keys), problems


def _overrides(overrides: Iterable[str]) -> tuple[list[Setting], list[Problem]]:
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
    return settings, problems


def _settings(settings: Mapping[str, tuple[Any, str]]) -> tuple[list[Setting], list[Problem]]:
    parsed, problems = [], []
    for path, (value, where) in settings.items():
        try:
            parsed.append((parse_key(path), _plain(value), where))
        except ValueError:
            problems.append(Problem(where, f"{path} is not a key of a recipe."))
    return parsed, problems


def _on_top(source: Source, settings: Sequence[Setting]) -> tuple[Source, list[Problem]]:
    """All of them are one layer, so that their order does not matter; then what goes inside arrays that exist."""
    above, inside, problems = Source(), [], []
    for written, value, where in settings:
        key = located(source.values, written)
        if key[0] in ("extends", UNSET):
            remedy = "Here it is --unset KEY." if key[0] == UNSET else ""
            problems.append(Problem(where, f"{key[0]} belongs into a recipe file.", remedy))
        elif any(isinstance(part, int) for part in key):
            inside.append((key, value, where))
        elif _passes_array(source.values, key):
            problems.append(Problem(where, f"the recipe has no {dotted(key)}.", nearest_key(source.values, key)))
        elif _put(above.values, key, value):
            above.places[key] = where
        else:
            problems.append(Problem(where, f"{dotted(key)} is inside of something that was set to a value.", TABLES))
    whole = merge_sources(source, above)
    for key, value, where in inside:
        if _put(whole.values, located(whole.values, key), value):
            whole.places[key] = where
        else:
            problems.append(Problem(where, f"the recipe has no {dotted(key)}.", nearest_key(whole.values, key)))
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


def _passes_array(values: Any, key: Key) -> bool:
    """Whether a key without numbers goes on inside of an array, where elements have numbers."""
    for part in key:
        if not has(values, part):
            return isinstance(values, list)
        values = values[part]
    return False


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


TABLES = "Set the whole table, or keys inside it, not both."
