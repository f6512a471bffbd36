"""Applies what the command line and keyword arguments unset and set to a recipe."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzoo.errors import Problem
from ganzoo.recipe.keys import MAX_PARTS, Key, format_key, parse_key
from ganzoo.recipe.source import UNSET, Source, merge_sources
from ganzoo.recipe.structure import find_excess
from ganzoo.recipe.unset import compact_arrays, contains, deep_copy, missing_key_hint, remove_keys, resolve_key

Override = tuple[Key, Any, str]
"""A key, its value, and the place that the value comes from."""


class SetOption(str):
    """The place of a value that --set gave: "--set generator.width=64"; text: the value as it was written."""

    text: str

    def __new__(cls, override: str, text: str = "") -> SetOption:
        """override: KEY=VALUE."""
        place = super().__new__(cls, f"--set {override if len(override) <= 200 else override[:200] + '...'}")
        place.text = text
        return place


def apply_overrides(
    source: Source,
    *,
    unset: Iterable[str] = (),
    overrides: Iterable[str] = (),
    settings: Mapping[str, tuple[Any, str]] | None = None,
) -> tuple[Source, list[Problem]]:
    """The recipe with keys removed and overridden, and the problems found.

    unset: keys, as --unset takes them; overrides: "KEY=VALUE", as --set takes them; settings: key path -> (value, where
    it comes from), for flags and keyword arguments, which take precedence. Indices into arrays refer to `source`, even
    where elements are unset.
    """
    whole = Source(deep_copy(source.values), dict(source.places), source.file, list(source.problems))
    keys, problems = _apply_unset(whole, unset)
    for parsed, wrong in (_parse_overrides(overrides), _parse_settings(settings or {})):
        whole, more = _merge_settings(whole, parsed)
        problems += wrong + more
    whole.places = compact_arrays(whole.values, whole.places, keys)
    return whole, problems


def _apply_unset(whole: Source, unset: Iterable[str]) -> tuple[list[Key], list[Problem]]:
    keys: dict[Key, str] = {}
    problems = []
    for text in (unset,) if isinstance(unset, str) else unset:
        try:
            keys[resolve_key(whole.values, parse_key(text.strip()))] = text
        except ValueError:
            problems.append(Problem(f"--unset {text[:200]}", "this should be a KEY.", "For example: --unset ema"))
    before = deep_copy(whole.values)
    for key in remove_keys(whole.values, whole.places, keys):
        what = f"the recipe does not set {format_key(key)}."
        problems.append(Problem(f"--unset {keys[key]}", what, missing_key_hint(before, key)))
    return list(keys), problems


def _parse_overrides(overrides: Iterable[str]) -> tuple[list[Override], list[Problem]]:
    settings: list[Override] = []
    problems = []
    for override in overrides:
        path, equals, text = override.partition("=")
        where = SetOption(override, text.strip())
        try:
            key = parse_key(path.strip() if equals else "")
        except ValueError:
            what = (
                f"a key has at most {MAX_PARTS} parts." if path.count(".") > MAX_PARTS else "this should be KEY=VALUE."
            )
            problems.append(Problem(where, what, "For example: --set generator.latent_dim=64"))
            continue
        try:
            settings.append((key, _parse_value(where.text), where))
        except ValueError as error:
            problems.append(Problem(where, f"{error}.", QUOTES))
    return settings, problems


def _parse_settings(settings: Mapping[str, tuple[Any, str]]) -> tuple[list[Override], list[Problem]]:
    parsed, problems = [], []
    for path, (value, where) in settings.items():
        try:
            parsed.append((parse_key(path), _to_toml(value), where))
        except ValueError:
            problems.append(Problem(where, f"{path} is not a key of a recipe."))
    return parsed, problems


def _merge_settings(source: Source, settings: Sequence[Override]) -> tuple[Source, list[Problem]]:
    """Merges all settings as one layer, so that their order does not matter, and then sets elements of arrays."""
    above, inside, problems = Source(), [], []
    for written, value, where in settings:
        key = resolve_key(source.values, written)
        if key[0] in ("extends", UNSET):
            remedy = "Here it is --unset KEY." if key[0] == UNSET else ""
            problems.append(Problem(where, f"{key[0]} belongs into a recipe file.", remedy))
        elif any(isinstance(part, int) for part in key):
            inside.append((key, value, where))
        elif _enters_array(source.values, key):
            problems.append(
                Problem(where, f"the recipe has no {format_key(key)}.", missing_key_hint(source.values, key))
            )
        elif _set_key(above.values, key, value):
            above.places[key] = where
        else:
            problems.append(
                Problem(where, f"{format_key(key)} is inside of something that was set to a value.", TABLE_OR_KEYS)
            )
    whole = merge_sources(source, above)
    for key, value, where in inside:
        if _set_key(whole.values, resolve_key(whole.values, key), value):
            whole.places[key] = where
        else:
            problems.append(
                Problem(where, f"the recipe has no {format_key(key)}.", missing_key_hint(whole.values, key))
            )
    return whole, problems


def _set_key(holder: Any, key: Key, value: Any) -> bool:
    """Sets a key, creating missing tables; False where a parent is not a table, or is an array without that element."""
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


def _enters_array(values: Any, key: Key) -> bool:
    """Whether a key without indices leads into an array, whose elements need indices."""
    for part in key:
        if not contains(values, part):
            return isinstance(values, list)
        values = values[part]
    return False


def _parse_value(text: str) -> Any:
    """A TOML value; text that is not TOML is taken as a string, so that a command line needs no nested quotes.

    Raises: ValueError for what begins as a list, a table or a quoted text and is none.
    """
    if excess := find_excess(text):
        raise ValueError(f"this is no value of a recipe: {excess.what}")
    try:
        parsed = tomllib.loads(f"value = {text}")
    except ValueError as error:
        if text.startswith(("[", "{", '"', "'")):
            reason = str(error).partition(" (at ")[0]
            raise ValueError(f"{text[:100]} is not TOML: {reason}") from error
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _to_toml(value: Any) -> Any:
    """A Python value as a type that TOML has."""
    if isinstance(value, tuple | list):
        return [_to_toml(item) for item in value]
    return str(value) if isinstance(value, Path) else value


TABLE_OR_KEYS = "Set the whole table, or keys inside it, not both."
QUOTES = """Text inside of a list or a table has quotes: --set 'ema.players=["generator"]'."""
