"""The component under test, built with the default options of a recipe."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ganzoo.core.data import DatasetInfo
from ganzoo.errors import GanzooError
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.check import check
from ganzoo.recipe.model import Choice, Recipe
from ganzoo.recipe.options import Option, options_of
from ganzoo.recipe.parts import BuildError, FromData, build
from ganzoo.testing.failure import NotChecked
from ganzoo.testing.streams import start_stream
from ganzoo.testing.synthetic import POINTS


class Subject:
    """One entry on a shelf. Properties that can fail are evaluated when used."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    def __str__(self) -> str:
        return f"{self.entry.shelf} {self.entry.name}"

    @cached_property
    def target(self) -> Any:
        """The class or function. Raises: PluginError."""
        return zoo().resolve(self.entry)

    @cached_property
    def options(self) -> Mapping[str, Option]:
        """The constructor's options. Raises: PluginError where they cannot be read."""
        return options_of(self.target, shelf=self.entry.shelf, owner=str(self))

    @cached_property
    def own_recipes(self) -> Mapping[Entry, Recipe]:
        """The recipes of its plugin that use it."""
        found = {}
        for entry in zoo().entries("recipe"):
            if entry.plugin == self.entry.plugin and (recipe := readable(entry)) and self.chosen_by(recipe):
                found[entry] = recipe
        return found

    def chosen_by(self, recipe: Recipe) -> Choice | None:
        """How a recipe chooses it: with which options. None if the recipe does not use it."""
        return next((choice for choice in recipe.choices() if choice.entry == self.entry), None)

    @cached_property
    def choice(self) -> Choice:
        """The component with its default options, or with those of an installed recipe if one has no default.

        Raises: NotChecked where there is no such recipe.
        """
        required = [name for name, option in self.options.items() if option.required]
        if not required:
            checked = check({}, self.options, key=(), place=lambda _: "", owner=str(self))
            filled = tuple(name for name, option in self.options.items() if option.from_data)
            return Choice(self.entry.shelf, self.entry, checked.values, filled)
        for entry in zoo().entries("recipe"):
            if (recipe := readable(entry)) and (found := self.chosen_by(recipe)):
                return found
        raise NotChecked(f"{' and '.join(required)} must be given, and no installed recipe gives it", blocks=True)

    def build(
        self, *first: Any, seed: int = 0, choice: Choice | None = None, info: DatasetInfo = POINTS, **given: Any
    ) -> Any:
        """A new one, its random numbers drawn from `seed`.

        first: what the engine gives ("params"); choice: its options, None for `self.choice`; info: the data that
        options are filled in from; given: options on top.
        Raises: what the constructor raises; OptionError where it needs a condition that the data do not give.
        """
        chosen = choice or self.choice
        start_stream(seed)
        try:
            filled = FromData(info).filled(chosen, given) if chosen.filled else {}
            return build(chosen, *first, **{**filled, **given})
        except BuildError as error:
            raise error.cause from None


def readable(recipe: Entry) -> Recipe | None:
    """An installed recipe; None where it cannot be read, which a check of its own reports."""
    try:
        return read_recipe(zoo().recipe_path(recipe))
    except GanzooError:
        return None


def is_class_of(module: object, target: Any) -> bool:
    """Whether an object was made by a component's target."""
    return inspect.isclass(target) and type(module) is target
