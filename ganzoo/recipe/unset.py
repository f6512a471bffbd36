"""Taking tables, keys and elements of arrays out of a recipe, and what to say of those that it does not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ganzoo.recipe.keys import Key, dotted
from ganzoo.recipe.messages import describe_value, did_you_mean

GONE: Final = object()
"""Stands in an array for an element that was taken out, so that the others keep their numbers until `close_gaps`."""


def take_out(values: dict[str, Any], places: dict[Key, str], keys: Iterable[Key]) -> list[Key]:
    """Takes the keys out, in place, whatever their order, and gives back those that are not there."""
    missing = []
    for key in sorted(dict.fromkeys(keys), key=len, reverse=True):  # what is inside of another one comes first
        holder: Any = values
        for part in key[:-1]:
            holder = holder[part] if has(holder, part) else None
        if not has(holder, key[-1]):
            missing.append(key)
            continue
        if isinstance(holder, list):
            holder[int(key[-1])] = GONE
        else:
            del holder[key[-1]]
        for stale in [known for known in places if known[: len(key)] == key]:
            del places[stale]
    return missing


def close_gaps(values: dict[str, Any], places: Mapping[Key, str], keys: Iterable[Key]) -> dict[Key, str]:
    """Closes, in place, the gaps that `take_out` left. keys: as it was given. Returns the places, renumbered."""
    now = {_renumbered(values, key): place for key, place in places.items()}
    arrays = dict.fromkeys(key[:-1] for key in keys if isinstance(key[-1], int))
    for key in sorted(arrays, key=len, reverse=True):
        array: Any = values
        for part in key:
            array = array[part] if has(array, part) else None
        if isinstance(array, list):
            array[:] = [item for item in array if item is not GONE]
    return now


def _renumbered(values: Any, key: Key) -> Key:
    now: list[str | int] = []
    for part in key:
        if isinstance(part, int) and isinstance(values, list):
            now.append(part - sum(item is GONE for item in values[:part]))
        else:
            now.append(part)
        values = values[part] if has(values, part) else None
    return tuple(now)


def located(values: Any, key: Key) -> Key:
    """The key as these values have it: a number is a name where a table has a key of that name."""
    now: list[str | int] = []
    for part in key:
        here = str(part) if isinstance(values, dict) and str(part) in values else part
        now.append(here)
        values = values[here] if has(values, here) else None
    return tuple(now)


def nearest_key(values: Any, key: Key, whole: str = "The recipe") -> str:
    """What there is in the place of a key that is missing: how many elements, or which keys and the nearest of them."""
    for depth, part in enumerate(key):
        if has(values, part):
            values = values[part]
            continue
        at, rest = dotted(key[:depth]), dotted(key[depth:])
        if isinstance(values, list):
            return _elements(at, len(values), part, rest)
        if isinstance(values, dict):
            near = did_you_mean(str(part), values)
            return f"{near}{at or whole} has: {', '.join(map(str, values)) or 'nothing'}."
        return f"{at} is unset, too." if values is GONE else f"{at} is {describe_value(values)}."
    return ""


def copied(values: Any) -> Any:
    """Tables and arrays of their own, to be changed."""
    if isinstance(values, dict):
        return {name: copied(value) for name, value in values.items()}
    return [copied(item) for item in values] if isinstance(values, list) else values


def has(holder: Any, part: str | int) -> bool:
    """Whether a table has a key of that name, or an array an element of that number."""
    if isinstance(holder, list):
        return isinstance(part, int) and part < len(holder)
    return isinstance(holder, dict) and part in holder


def _elements(at: str, count: int, part: str | int, rest: str) -> str:
    if count == 0:
        return f"{at} is empty."
    if isinstance(part, str):
        return f"{at} is an array: write {at}.0.{rest}, say."
    return f"There is one: {at}[0]." if count == 1 else f"There are {count}: {at}[0] to {at}[{count - 1}]."
