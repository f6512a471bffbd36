"""Key paths of values in a recipe: parsing and formatting."""

from __future__ import annotations

import re
import tomllib
from typing import TypeAlias

Key: TypeAlias = "tuple[str | int, ...]"
"""The path to a value: names of tables and keys, and indices into arrays: ("regularizer", 0, "weight")."""

MAX_PARTS = 16
"""The most parts of a key; no recipe needs more than five."""

MAX_NAME = 200
"""The most characters of one name in a key."""

BARE = re.compile(r"[A-Za-z0-9_-]+")
NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
"""An index into an array; a name of digits only is written in quotes."""
NAME = r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*+"|'[^']*'"""
SEGMENT = re.compile(rf"\s*(?:\[\s*(\d{{1,9}})\s*\]|(\.?)\s*({NAME}))\s*")


def format_key(key: Key) -> str:
    """The key as text: "regularizer[0].weight"; names with special characters, or of digits only, are quoted."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _is_bare(part) else f'"{part}"')
    return text


def parse_key(text: str) -> Key:
    """The inverse of `format_key`; "regularizer.0.weight" is the same as "regularizer[0].weight".

    Raises: ValueError where `text` is no key path.
    """
    key: list[str | int] = []
    at = 0
    while at < len(text):
        step = SEGMENT.match(text, at)
        if not step or (step[3] is not None and bool(step[2]) != bool(key)) or (step[1] is not None and not key):
            raise ValueError(f"no key path: {text}")
        number = step[1] or (step[3] if key and NUMBER.fullmatch(step[3]) else None)
        key.append(unquote(step[3]) if number is None else int(number))
        if len(key) > MAX_PARTS or len(step[0]) > MAX_NAME:
            raise ValueError(f"a key has at most {MAX_PARTS} parts, of {MAX_NAME} characters each")
        at = step.end()
    if not key:
        raise ValueError(f"no key path: {text}")
    return tuple(key)


def _is_bare(name: str) -> bool:
    return BARE.fullmatch(name) is not None and NUMBER.fullmatch(name) is None


def unquote(name: str) -> str:
    """One name of a key without its quotes. Raises: ValueError (tomllib's) where a quoted name is not valid TOML."""
    return name if BARE.fullmatch(name) else next(iter(tomllib.loads(f"{name} = 0")))
