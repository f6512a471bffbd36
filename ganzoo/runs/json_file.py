"""JSON of unknown origin, parsed once into typed values; whatever is wrong is one message with the file and the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from ganzoo.recipe.keys import format_key
from ganzoo.recipe.messages import format_value
from ganzoo.recipe.plain_file import MIB, read_plain_file

T = TypeVar("T")

MAX_BYTES = 64 * MIB
"""The largest JSON file that is read; the names of 20,000 classes take half a megabyte."""

SHOWN = 5
"""The most problems of a file that a message names."""


class JsonError(ValueError):
    """A file that holds not what it should; the text says what, without the file's name."""


def read_json(path: Path) -> Any:
    """The JSON value of a plain file of at most MAX_BYTES, nested 200 deep at most, its texts in UTF-8.

    Bytes of paths that are not UTF-8 are escaped as lone surrogates, and become those.
    Raises: OSError where the file cannot be read, JsonError where it holds something else.
    """
    content = read_plain_file(path, limit=MAX_BYTES)
    try:
        return from_json(content)
    except ValueError as error:
        if "hex escape" not in str(error):
            raise JsonError(str(error)) from error
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise JsonError(str(error)) from error


def typed(value: Any, schema: TypeAdapter[T], *, dataclasses: bool = False) -> T:
    """The value as the schema has it. dataclasses: the schema has some, which are made of JSON only.

    Raises: JsonError, which names the keys that are wrong: what was expected, and what is there.
    """
    try:
        return schema.validate_json(json.dumps(value)) if dataclasses else schema.validate_python(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        lines = list(dict.fromkeys(map(describe, problems)))
        more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        raise JsonError("; ".join([*lines[:SHOWN], *more])) from error


def describe(problem: Any) -> str:
    """One problem: "dataset.size should be a valid integer, and is "many""."""
    named = [part for part in problem["loc"] if part != "[key]"]
    key = format_key(tuple(named)) if named else "the file"
    if problem["type"] == "missing":
        return f"{key} is missing"
    expected = str(problem["msg"]).removeprefix("Input ").removeprefix("Value error, ")
    return f"{key} {expected}, and is {format_value(problem['input'])}"


def reason(error: OSError | JsonError) -> str:
    """Why a file was not read, as the end of a sentence."""
    return str(getattr(error, "strerror", None) or error)
