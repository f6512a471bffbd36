"""Formats types and values for error messages, and suggests similar names."""

from __future__ import annotations

import difflib
import json
import math
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """ "Did you mean latent_dim? ", or "" if no name is similar."""
    close = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.5)
    return f"Did you mean {close[0]}? " if close else ""


def describe_type(annotation: Any, *, limits: bool = True) -> str:
    """A type as text: "int, at least 1", "list of float", '"fp32" or "bf16"'."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        said = [words for constraint in arguments[1:] if limits and (words := _limit(constraint))]
        return ", ".join([describe_type(arguments[0], limits=limits), *said])
    if origin is typing.Literal:
        return _or([format_value(value) for value in arguments])
    if origin in (typing.Union, types.UnionType):
        return _or([describe_type(argument, limits=limits) for argument in arguments if argument is not type(None)])
    if _is_list(origin):
        inner = [argument for argument in arguments if argument is not Ellipsis]
        if origin is tuple and inner and Ellipsis not in arguments:
            kinds = list(dict.fromkeys(describe_type(argument, limits=limits) for argument in inner))
            return _each(kinds[0], len(inner)) if len(kinds) == 1 else f"list of {len(inner)} ({'; '.join(kinds)})"
        return _each(describe_type(inner[0], limits=limits)) if inner else "list"
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return f"table of {describe_type(arguments[1], limits=limits)}" if len(arguments) > 1 else "table"
    names: dict[Any, str] = {str: "text", Path: "path", dict: "table", list: "list", tuple: "list", Any: "anything"}
    return names.get(annotation) or str(getattr(annotation, "__name__", annotation))


def format_value(value: Any) -> str:
    """A value in the syntax of recipes, shortened if it is long."""
    text = _written(value)
    return text if len(text) <= 72 else f"{text[:69]}..."


def describe_value(value: Any) -> str:
    """A value with its type, if that is not obvious: '"64" (text)'."""
    match value:
        case bool() | None:
            return format_value(value)
        case str():
            return f"{format_value(value)} (text)"
        case int():
            return f"{format_value(value)} (int)" if abs(value) < 2**63 else "a number beyond TOML's 64 bits"
        case float():
            return f"{format_value(value)} (float)"
        case date() | time():
            return f"{value} (a date or time)"
        case Mapping():
            return "a table"
    return format_value(value)


def _written(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case str() | Path():
            return json.dumps(str(value)[:200], ensure_ascii=False)
        case int():
            return str(value) if abs(value) < 2**63 else "a huge number"
        case float():
            return repr(value) if math.isfinite(value) else str(value)
        case list() | tuple():
            return f"[{', '.join(_written(item) for item in value[:40])}{', ...' if len(value) > 40 else ''}]"
        case Mapping():
            return f"{{{', '.join(f'{key} = {_written(item)}' for key, item in list(value.items())[:40])}}}"
    return str(value)


def _is_list(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Collection) and not issubclass(origin, Mapping | str)


def _each(kind: str, count: int = 0) -> str:
    """A list's type as text: "list of int, each at least 1"."""
    kind, comma, limits = kind.partition(", ")
    return f"list of {f'{count} ' if count else ''}{kind}" + (f", each {limits}" if comma else "")


def _or(words: Sequence[str]) -> str:
    words = list(dict.fromkeys(words))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _limit(constraint: Any) -> str:
    match constraint:
        case Interval():
            bounds = (
                ("at least", constraint.ge),
                ("above", constraint.gt),
                ("at most", constraint.le),
                ("below", constraint.lt),
            )
            return ", ".join(f"{words} {_bound(bound)}" for words, bound in bounds if bound is not None)
        case Ge():
            return f"at least {_bound(constraint.ge)}"
        case Gt():
            return f"above {_bound(constraint.gt)}"
        case Le():
            return f"at most {_bound(constraint.le)}"
        case Lt():
            return f"below {_bound(constraint.lt)}"
        case Len() | MinLen() if constraint.min_length:
            return "not empty" if constraint.min_length == 1 else f"{constraint.min_length} or more of them"
        case MaxLen():
            return f"{constraint.max_length} of them at most"
    return ""


def _bound(bound: Any) -> str:
    """A limit as text; 1 and 1.0 look the same, since `typing` caches types that compare equal."""
    if abs(bound) < 2**31 and float(bound).is_integer():
        return f"{int(bound):,}"
    return "2^63" if bound == 2**63 else str(bound)
