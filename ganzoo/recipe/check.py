"""Checks the options in a recipe against a constructor's parameters, by pydantic, with our own messages."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from ganzoo.errors import PluginError, Problem
from ganzoo.plugins import error_text
from ganzoo.recipe.keys import Key, format_key
from ganzoo.recipe.messages import describe_type, describe_value, did_you_mean, format_value
from ganzoo.recipe.options import AUTHOR_REMEDY, Option, options_hint

CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


@dataclass(slots=True)
class Checked:
    """values: for the constructor; written: the same for TOML, without None."""

    values: dict[str, Any] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def check(
    table: Mapping[str, Any], options: Mapping[str, Option], *, key: Key, place: Callable[[Key], str], owner: str
) -> Checked:
    """Checks a table of a recipe: every option of `options` gets its value, given or default.

    key: the table's; place: gives the place of a key; whose: the component in messages ('generator "mlp"').
    Options that are filled in from the data are left out unless given. Raises: PluginError for an unsupported type.
    """
    checked = Checked()
    for name in table:
        if name not in options:
            what = f"{format_key((*key, name))} is not an option of {owner}."
            checked.problems.append(Problem(place((*key, name)), what, options_hint(options, name)))
    for name, option in options.items():
        model = _model(option, owner)
        if name in table:
            given = _as_meant(table[name], place((*key, name)), model)
            problem = _validate(given, option, model, checked, key=(*key, name), place=place, owner=owner)
            if problem:
                checked.problems.append(problem)
        elif option.required:
            what = f"{owner} needs {format_key((*key, name))} ({describe_type(option.annotation)})."
            checked.problems.append(Problem(place(key), what, f"Write {name} = ... in [{format_key(key)}]."))
        elif not option.from_data:
            checked.values[name] = option.default
            _write(model.model_construct(value=option.default), option, checked, owner)
    return checked


def _validate(
    value: Any,
    option: Option,
    model: type[BaseModel],
    checked: Checked,
    *,
    key: Key,
    place: Callable[[Key], str],
    owner: str,
) -> Problem | None:
    """Adds a valid value to `checked`, or returns the problem."""
    for inside, wrong in unsupported_values(value):
        wanted = describe_type(option.annotation)
        what = f"{format_key(key)} should be {wanted}; found {wrong}."
        remedy = LINK if wrong == NOT_UNICODE and wanted.startswith("text") else _remedy(value, option, model)
        return Problem(place((*key, *inside)), what, remedy)
    try:
        valid = model.model_validate_json(json.dumps({"value": value}))
    except ValidationError as error:
        inside, wrong = _innermost_error(error, value)
        at = f" at {format_key((option.name, *inside))}" if inside else ""
        what = f"{format_key(key)} should be {describe_type(option.annotation)}; found {describe_value(wrong)}{at}."
        return Problem(place((*key, *inside)), what, _remedy(value, option, model))
    except Exception as error:  # a constraint that does not fit its type
        raise PluginError(
            f"{owner}: its parameter `{option.name}` cannot be checked: {error_text(error)}.", remedy=AUTHOR_REMEDY
        ) from error
    if not _same_booleans(value, valid.model_dump(mode="json", warnings=False)["value"]):
        what = f"{format_key(key)} should be {describe_type(option.annotation)}; found {describe_value(value)}."
        return Problem(place(key), what, _remedy(None, option, model))
    checked.values[option.name] = valid.value  # type: ignore[attr-defined]  # the model's one field
    _write(valid, option, checked, owner)
    return None


def _as_meant(value: Any, place: str, model: type[BaseModel]) -> Any:
    """A value of --set as it was typed where the option takes text, and TOML reads a number, a date or a boolean."""
    text = getattr(place, "text", "")
    if not text or isinstance(value, str | list | Mapping) or _accepts(model, value):
        return value
    return text if _accepts(model, text) else value


def _accepts(model: type[BaseModel], value: Any) -> bool:
    try:
        model.model_validate_json(json.dumps({"value": value}))
    except (ValidationError, ValueError, TypeError):
        return False
    return True


NOT_UNICODE = "text that is not Unicode"

LINK = "A recipe's file holds UTF-8 only. If this is a path, make a link to it (ln -s) and give the link's name."
"""The remedy for a path of other bytes."""


def unsupported_values(value: Any, inside: Key = ()) -> Iterator[tuple[Key, str]]:
    """Values that no option accepts: dates, numbers beyond 64 bits, invalid Unicode. Yields (key inside, text)."""
    match value:
        case date() | time():
            yield inside, describe_value(value)
        case int() if abs(value) >= 2**63:
            yield inside, describe_value(value)
        case str() if any("\ud800" <= letter <= "\udfff" for letter in value):
            yield inside, NOT_UNICODE
        case Mapping():
            for name, item in value.items():
                yield from unsupported_values(item, (*inside, name))
        case list() | tuple():
            for number, item in enumerate(value):
                yield from unsupported_values(item, (*inside, number))
        case None | bool() | int() | float() | str():
            return
        case _:
            yield inside, f"a {type(value).__name__}, which no recipe can hold"


def _model(option: Option, owner: str) -> type[BaseModel]:
    try:
        return create_model("Option", __config__=CONFIG, value=(option.annotation, ...))
    except Exception as error:  # types that pydantic does not support
        what = f"{owner}: its parameter `{option.name}` has a type that no recipe can give"
        raise PluginError(f"{what}: {describe_type(option.annotation)}.", remedy=AUTHOR_REMEDY) from error


def _write(valid: BaseModel, option: Option, checked: Checked, owner: str) -> None:
    try:
        written = valid.model_dump(mode="json", warnings=False)["value"]
    except Exception as error:
        what = f"{owner}: the default of its parameter `{option.name}` cannot be written into a recipe"
        raise PluginError(f"{what}: {option.default!r}.", remedy=AUTHOR_REMEDY) from error
    if written is not None:
        checked.written[option.name] = written


def _same_booleans(value: Any, taken: Any) -> bool:
    """Whether no boolean was converted to a number, as pydantic does for values of a Literal."""
    if isinstance(value, list) and isinstance(taken, list):
        return all(map(_same_booleans, value, taken))
    return isinstance(value, bool) == isinstance(taken, bool)


def _innermost_error(error: ValidationError, value: Any) -> tuple[Key, Any]:
    """The innermost wrong part of `value`: its key, and its value."""
    inside: Key = ()
    for part in error.errors(include_url=False)[0]["loc"][1:]:  # other parts are names of pydantic's own
        if part in (value if isinstance(value, Mapping) else range(len(value)) if isinstance(value, list) else ()):
            value, inside = value[part], (*inside, part)
    return inside, value


def _remedy(value: Any, option: Option, model: type[BaseModel]) -> str:
    """A suggestion of a valid value, or the default."""
    if get_origin(option.annotation) is Literal and isinstance(value, str):
        choices = [choice for choice in get_args(option.annotation) if isinstance(choice, str)]
        return did_you_mean(value, choices).strip()
    for candidate in _candidates(value):
        if _accepts(model, candidate):
            return f"Write {option.name} = {format_value(candidate)}."
    return "" if option.required or option.from_data else f"The default is {format_value(option.default)}."


def _candidates(value: Any) -> Iterator[Any]:
    """Values that may have been intended: a number for a quoted one, a list for a single value, 64 for 64.0."""
    if isinstance(value, date | time):
        yield str(value)
    if isinstance(value, str) and len(value) < 100:
        text = value.strip()
        for written in (text, text.lower(), f"[{text}]", f"[{text.strip('()')}]"):  # 64, True, 1,2 and (1, 2)
            with suppress(ValueError, RecursionError):
                yield tomllib.loads(f"value = {written}")["value"]
        for number in (int, float):  # 007 and .5, which TOML does not know
            with suppress(ValueError):
                yield number(text)
        if "," in text and not text.startswith(("[", "{")):
            yield [part.strip() for part in text.split(",")]
    if isinstance(value, float) and value.is_integer():
        yield int(value)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield [value]
        yield str(value)
