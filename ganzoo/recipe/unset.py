"""Removes tables, keys and elements of arrays from a recipe, and describes keys that it does not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ganzoo.recipe.keys import Key, format_key
from ganzoo.recipe.messages import describe_value, did_you_mean

REMOVED: Final = object()
"""A placeholder for a removed element of an array, so that the others keep their indices until `compact_arrays`."""


def remove_keys(values: dict[str, Any], places: dict[Key, str], keys: Iterable[Key]) -> list[Key]:
    """Removes the keys in place, in any order, and returns those that do not exist."""
    missing = []
    for key in sorted(dict.fromkeys(keys), key=len, reverse=True):  # what is inside of another one comes first
        holder: Any = values
        for part in key[:-1]:
            holder = holder[part] if contains(holder, part) else None
        if not contains(holder, key[-1]):
            missing.append(key)
            continue
        if isinstance(holder, list):
            holder[int(key[-1])] = REMOVED
        else:
            del holder[key[-1]]
        for stale in [known for known in places if known[: len(key)] == key]:
            del places[stale]
    return missing


def compact_arrays(values: dict[str, Any], places: Mapping[Key, str], keys: Iterable[Key]) -> dict[Key, str]:
    """Removes, in place, the placeholders that `remove_keys` left; returns the places under their new keys.

    keys: those that were passed to `remove_keys`.
    """
    now = {_renumbered(values, key): place for key, place in places.items()}
    arrays = dict.fromkeys(key[:-1] for key in keys if isinstance(key[-1], int))
    for key in sorted(arrays, key=len, reverse=True):
        array: Any = values
        for part in key:
            array = array[part] if contains(array, part) else None
        if isinstance(array, list):
            array[:] = [item for item in array if item is not REMOVED]
    return now


def _renumbered(values: Any, key: Key) -> Key:
    now: list[str | int] = []
    for part in key:
        if isinstance(part, int) and isinstance(values, list):
            now.append(part - sum(item is REMOVED for item in values[:part]))
        else:
            now.append(part)
        values = values[part] if contains(values, part) else None
    return tuple(now)


def resolve_key(values: Any, key: Key) -> Key:
    """The key as it is in `values`: a number is taken as a name where a table has a key of that name."""
    now: list[str | int] = []
    for part in key:
        here = str(part) if isinstance(values, dict) and str(part) in values else part
        now.append(here)
        values = values[here] if contains(values, here) else None
    return tuple(now)


def missing_key_hint(values: Any, key: Key, whole: str = "The recipe") -> str:
    """A hint for a missing key: how many elements there are, or which keys, and the most similar one."""
    for depth, part in enumerate(key):
        if contains(values, part):
            values = values[part]
            continue
        parent, rest = format_key(key[:depth]), format_key(key[depth:])
        if isinstance(values, list):
            return _element_hint(parent, len(values), part, rest)
        if isinstance(values, dict):
            near = did_you_mean(str(part), values)
            return f"{near}{parent or whole} has: {', '.join(map(str, values)) or 'nothing'}."
        return f"{parent} is unset, too." if values is REMOVED else f"{parent} is {describe_value(values)}."
    return ""


def deep_copy(values: Any) -> Any:
    """A deep copy of tables and arrays."""
    if isinstance(values, dict):
        return {name: deep_copy(value) for name, value in values.items()}
    return [deep_copy(item) for item in values] if isinstance(values, list) else values


def contains(holder: Any, part: str | int) -> bool:
    """Whether a table has the key, or an array an element of that index."""
    if isinstance(holder, list):
        return isinstance(part, int) and part < len(holder)
    return isinstance(holder, dict) and part in holder


def _element_hint(array: str, count: int, part: str | int, rest: str) -> str:
    if count == 0:
        return f"{array} is empty."
    if isinstance(part, str):
        return f"{array} is an array: write {array}.0.{rest}, say."
    return f"There is one: {array}[0]." if count == 1 else f"There are {count}: {array}[0] to {array}[{count - 1}]."
