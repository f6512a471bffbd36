"""Reads the options of a component, which are the keyword parameters of its constructor."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganzoo.errors import PluginError
from ganzoo.plugins import error_text
from ganzoo.recipe.messages import describe_type, did_you_mean, format_value

FROM_DATA = ("sample_shape", "n_classes", "input_shape")
"""Parameters that the engine fills in from the data where a constructor has them, in addition to `KEY_shape`, the shape
of the condition KEY of a batch."""

SHAPE_SUFFIX = "_shape"

FILLED_SHELVES = ("generator", "discriminator", "loss", "regularizer", "augmentation")
"""The shelves for whose constructors these parameters are filled in."""

LEADING_PARAMETER = {"game": "parts", "optimizer": "params"}
"""Shelf -> the leading parameter, which the engine passes."""


@dataclass(frozen=True, slots=True)
class Option:
    """One keyword parameter: its type with constraints, and its default (`inspect.Parameter.empty`: must be given).

    from_data: whether the engine fills it in where a recipe does not give it.
    """

    name: str
    annotation: Any
    default: Any
    from_data: bool = False

    @property
    def required(self) -> bool:
        """Whether a recipe must set it."""
        return self.default is inspect.Parameter.empty and not self.from_data

    def __str__(self) -> str:
        """In a list of options: "latent_dim (int, 100)"."""
        default = "required" if self.required else format_value(self.default)
        return f"{self.name} ({describe_type(self.annotation, limits=False)}, {default})"


def options_of(
    constructor: Callable[..., Any], *, shelf: str = "", owner: str = "", without: Sequence[str] = ()
) -> dict[str, Option]:
    """The options of a constructor by name, including those that are filled in from the data.

    owner: the component and its plugin, for messages; without: parameters that are not options.
    Raises: PluginError for a parameter that no recipe could set.
    """
    try:
        signature = inspect.signature(constructor)
        hints = typing.get_type_hints(
            constructor.__init__ if inspect.isclass(constructor) else constructor, include_extras=True
        )
    except (NameError, TypeError, ValueError, AttributeError) as error:
        raise PluginError(
            f"{owner}: the options of its constructor cannot be read: {error_text(error)}.", remedy=AUTHOR_REMEDY
        ) from error
    parameters = list(signature.parameters.values())
    if shelf in LEADING_PARAMETER:
        if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
            raise PluginError(
                f"{owner}: its constructor must take `{LEADING_PARAMETER[shelf]}` first.", remedy=AUTHOR_REMEDY
            )
        parameters = parameters[1:]
    options = {}
    for parameter in parameters:
        name = parameter.name
        if name in without or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise PluginError(f"{owner}: its parameter `{name}` cannot be given by name.", remedy=AUTHOR_REMEDY)
        if name not in hints:
            raise PluginError(f"{owner}: its parameter `{name}` has no type.", remedy=AUTHOR_REMEDY)
        from_data = shelf in FILLED_SHELVES and (name in FROM_DATA or name.endswith(SHAPE_SUFFIX))
        options[name] = Option(name, hints[name], parameter.default, from_data)
    return options


def options_hint(options: Mapping[str, Option], name: str = "") -> str:
    """The remedy for an unknown option: the most similar name, and all options."""
    own = {key: option for key, option in options.items() if not option.from_data}
    suggestion = did_you_mean(name, options) if name else ""
    return f"{suggestion}Options: {', '.join(map(str, own.values()))}." if own else f"{suggestion}It has no options."


AUTHOR_REMEDY = "This is for the plugin's author to mend: options are keyword parameters with types that TOML can hold."
