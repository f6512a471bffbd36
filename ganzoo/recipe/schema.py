"""The options of a thing are its constructor's keyword parameters: this reads them, and checks a table against them."""

from __future__ import annotations

import difflib
import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen
from pydantic import ConfigDict, Field, ValidationError, create_model

from ganzoo.errors import PluginError, Problem

FROM_DATA = ("sample_shape", "n_classes")
"""Parameters that the engine fills in from the data where a constructor names them."""

FIRST = {"game": 1, "optimizer": 1}
"""Shelf -> leading parameters that are the engine's to give: a game's parts, an optimizer's parameters."""

CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


@dataclass(frozen=True, slots=True)
class Option:
    """One keyword parameter: its type with constraints, and its default (`inspect.Parameter.empty`: must be given)."""

    name: str
    annotation: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether a recipe must give it."""
        return self.default is inspect.Parameter.empty

    def __str__(self) -> str:
        """ "latent_dim (int, 100)"."""
        return f"{self.name} ({describe(self.annotation)}, {'required' if self.required else shown(self.default)})"


def options_of(constructor: Callable[..., Any], *, shelf: str = "", whose: str = "") -> dict[str, Option]:
    """The options of a constructor by name; those that the data fill in are among them, with the default None.

    whose: names the component and its plugin in messages. Raises: PluginError for a parameter without a type.
    """
    try:
        signature = inspect.signature(constructor)
        owner = constructor.__init__ if inspect.isclass(constructor) else constructor
        hints = typing.get_type_hints(owner, include_extras=True)
    except (NameError, TypeError, ValueError) as error:
        raise PluginError(f"the options of {whose} cannot be read: {error}") from error
    options = {}
    for name, parameter in list(signature.parameters.items())[FIRST.get(shelf, 0) :]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name not in hints:
            raise PluginError(f"{whose} has an option without a type: {name}.", remedy="Its author can add one.")
        default = None if name in FROM_DATA and parameter.default is parameter.empty else parameter.default
        options[name] = Option(name, hints[name], default)
    return options


def check(
    table: Mapping[str, Any], options: Mapping[str, Option], *, path: str, place: Callable[[str], str], whose: str
) -> tuple[dict[str, Any], dict[str, Any], list[Problem]]:
    """Checks a table of a recipe against options.

    path: the table's key path; place: from key path to "file:line"; whose: 'generator "mlp"', for messages.
    Returns every option's value as the constructor takes it, the same as TOML can hold it, and what is wrong.
    """
    unknown = [name for name in table if name not in options]
    problems = [
        Problem(place(f"{path}.{name}"), f"{path}.{name} is not an option of {whose}.", nearest(name, options))
        for name in unknown
    ]
    fields: dict[str, Any] = {
        f"option_{number}": (option.annotation, Field(alias=name, default=... if option.required else option.default))
        for number, (name, option) in enumerate(options.items())
    }
    model = create_model("Options", __config__=CONFIG, **fields)
    known = {name: value for name, value in table.items() if name in options}
    try:
        checked = model.model_validate_json(json.dumps(known, default=str))
    except ValidationError as error:
        return {}, {}, [*problems, *_problems(error, options, path=path, place=place, whose=whose)]
    values = {name: getattr(checked, f"option_{number}") for number, name in enumerate(options)}
    written = checked.model_dump(mode="json", by_alias=True)
    return values, {name: value for name, value in written.items() if value is not None}, problems


def nearest(name: str, options: Mapping[str, Option]) -> str:
    """The remedy for a name that is not one: the nearest that is, and all there are."""
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    said = f"Did you mean {close[0]}? " if close else ""
    mine = [str(option) for key, option in options.items() if key not in FROM_DATA]
    return f"{said}Options: {', '.join(mine)}." if mine else f"{said}It has no options."


def describe(annotation: Any) -> str:
    """A type in words: "int, at least 1", "list of float", "one of fp32, bf16"."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        limits = [words for constraint in arguments[1:] if (words := _limit(constraint))]
        return ", ".join([describe(arguments[0]), *limits])
    if origin is typing.Literal:
        return f"one of {', '.join(str(value) for value in arguments)}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(argument) for argument in arguments if argument is not type(None))
    if origin in (list, tuple, typing.get_origin(typing.Sequence[int])):
        inner = [argument for argument in arguments if argument is not Ellipsis]
        if origin is tuple and Ellipsis not in arguments:
            return f"list of {len(inner)}: {', '.join(dict.fromkeys(describe(argument) for argument in inner))}"
        return f"list of {describe(inner[0])}" if inner else "list"
    names = {str: "text", "Path": "a path"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def shown(value: Any) -> str:
    """A value as a recipe would write it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(shown(item) for item in value)}]"
    if isinstance(value, dict):
        return "a table"
    text = {None: "none", True: "true", False: "false"}.get(value) if value is None or isinstance(value, bool) else None
    text = text or (json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _limit(constraint: Any) -> str:
    match constraint:
        case Interval():
            parts = (
                ("at least", constraint.ge),
                ("above", constraint.gt),
                ("at most", constraint.le),
                ("below", constraint.lt),
            )
            return ", ".join(f"{words} {shown(bound)}" for words, bound in parts if bound is not None)
        case Ge():
            return f"at least {shown(constraint.ge)}"
        case Gt():
            return f"above {shown(constraint.gt)}"
        case Le():
            return f"at most {shown(constraint.le)}"
        case Lt():
            return f"below {shown(constraint.lt)}"
        case Len() | MinLen() if constraint.min_length:
            return "not empty" if constraint.min_length == 1 else f"{constraint.min_length} or more of them"
        case MaxLen():
            return f"{constraint.max_length} of them at most"
    return ""


def _problems(
    error: ValidationError, options: Mapping[str, Option], *, path: str, place: Callable[[str], str], whose: str
) -> list[Problem]:
    found: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0]) if detail["loc"] else ""
        key = f"{path}.{name}" if name else path
        if key in found or name not in options:
            continue
        if detail["type"] == "missing" and len(detail["loc"]) == 1:
            expected = describe(options[name].annotation)
            found[key] = Problem(place(path), f"{whose} needs {key} ({expected}).", f"Write {name} = ... in [{path}].")
            continue
        inside = "".join(f"[{part}]" for part in detail["loc"][1:] if isinstance(part, int))
        if detail["type"] == "missing":
            inside = ""  # too short a list: what was found is all of it
        what = f"{key} should be {describe(options[name].annotation)}, and {f'{name}{inside}' if inside else 'it'} is {shown(detail['input'])}."
        found[key] = Problem(
            place(key),
            what,
            f"Without it the default holds: {shown(options[name].default)}." if not options[name].required else "",
        )
    return list(found.values())
