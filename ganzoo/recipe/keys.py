"""Where a value stands in a recipe: a key path, as Python holds it and as people write it."""

from __future__ import annotations

import re
import tomllib
from typing import TypeAlias

Key: TypeAlias = "tuple[str | int, ...]"
"""The way to a value: names of tables and keys, and numbers in arrays: ("regularizer", 0, "weight")."""

BARE = re.compile(r"[A-Za-z0-9_-]+")
NAME = r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*+"|'[^']*'"""
STEP = re.compile(rf"\s*(?:\[\s*(\d{{1,9}})\s*\]|(\.?)\s*({NAME}))\s*")


def dotted(key: Key) -> str:
    """As people write it: "regularizer[0].weight"; names with other characters in quotes."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if BARE.fullmatch(part) else f'"{part}"')
    return text


def parse_key(text: str) -> Key:
    """The inverse of `dotted`. Raises: ValueError where `text` is no key path."""
    key: list[str | int] = []
    at = 0
    while at < len(text):
        step = STEP.match(text, at)
        if not step or (step[3] is not None and bool(step[2]) != bool(key)) or (step[1] is not None and not key):
            raise ValueError(f"no key path: {text}")
        key.append(unquoted(step[3]) if step[3] is not None else int(step[1]))
        at = step.end()
    if not key:
        raise ValueError(f"no key path: {text}")
    return tuple(key)


def unquoted(name: str) -> str:
    """One name of a key as TOML means it. Raises: ValueError (tomllib's) where a quoted one is no TOML."""
    return name if BARE.fullmatch(name) else next(iter(tomllib.loads(f"{name} = 0")))
