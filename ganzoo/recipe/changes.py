"""What differs between the values of two recipes, key by key, and a digest that says whether anything does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ganzoo.recipe.keys import format_key, parse_key
from ganzoo.recipe.saved import leaves

NOT_PLAYED = (
    "description",
    "train.checkpoint_every",
    "train.data",
    "train.keep",
    "train.runner",
    "train.sample_every",
    "train.samples",
    "train.workers",
)
"""What a recipe says of how a run is computed and what is written of it, and not of what it computes."""

Changes = dict[str, tuple[Any, Any]]
"""Key path -> the value before and after, None where there is none."""


def changes(before: Mapping[str, Any], after: Mapping[str, Any], *, besides: Collection[str] = ()) -> Changes:
    """What differs between two recipes' `values`, but for the keys `besides`."""
    old, new = ({format_key(key): value for key, value in leaves(side)} for side in (before, after))
    return {
        key: (old.get(key), new.get(key))
        for key in dict.fromkeys([*old, *new])
        if key not in besides and old.get(key) != new.get(key)
    }


def played_digest(values: Mapping[str, Any]) -> str:
    """ "sha256:..." over all of a recipe's `values` that decide the course of its run."""
    played = {format_key(key): value for key, value in leaves(values) if format_key(key) not in NOT_PLAYED}
    return f"sha256:{hashlib.sha256(json.dumps(played, sort_keys=True).encode()).hexdigest()}"


def named_keys(texts: Iterable[str]) -> list[str]:
    """The key paths of --set and --unset as text, in one spelling; what is no key path is left out."""
    found = []
    for text in texts:
        try:
            found.append(format_key(parse_key(text.partition("=")[0].strip())))
        except ValueError:
            continue
    return found


def is_in(key: str, tables: Iterable[str]) -> bool:
    """Whether a key path is one of `tables`, or inside of one."""
    return any(key == table or key.startswith((f"{table}.", f"{table}[")) for table in tables)
