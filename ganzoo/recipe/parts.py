"""Builds what a recipe names: the only place where a component's constructor is called."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from ganzoo.core.data import Dataset, DatasetInfo, Shape
from ganzoo.core.game import Game
from ganzoo.core.interfaces import Augmentation, Discriminator, Generator, Loss, Regularizer, Schedule, Translator
from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import GanzooError, OptionError
from ganzoo.plugins import contained, error_text, zoo
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.model import Choice, Recipe
from ganzoo.recipe.options import SHAPE_SUFFIX


class BuildError(GanzooError):
    """A component's constructor raised. choice: what was being built (None: a table that the game asked for and the
    recipe lacks); table: the recipe's table; cause: the exception."""

    def __init__(self, table: str, choice: Choice | None, cause: Exception) -> None:
        name = f' "{choice.entry.name}"' if choice else ""
        super().__init__(f"[{table}]{name} cannot be built: {error_text(cause)}")
        self.table = table
        self.choice = choice
        self.cause = cause


def build(choice: Choice, *first: Any, **filled: Any) -> Any:
    """Calls the constructor of `choice` with the recipe's options, and `filled` for what the data fill in.

    Raises: BuildError, with the constructor's own exception as its cause.
    """
    constructor = zoo().resolve(choice.entry)
    try:
        with contained():
            return constructor(*first, **{**choice.options, **filled})
    except Exception as error:
        raise BuildError(choice.table, choice, error) from error


class FromData:
    """What of components' options comes from a data set.

    kinds: of its fields; shapes: what networks see by each key; values: what constructors may name, by parameter.
    """

    def __init__(self, info: DatasetInfo) -> None:
        self.info = info
        self.kinds = FieldKinds(info)
        self.shapes: Mapping[str, Shape] = {key: self.kinds.unit_shape(key) for key in info.gives}
        self.values: Mapping[str, Any] = {
            "sample_shape": self.shapes[info.sample_key],
            "n_classes": len(info.classes) or None,
            "input_shape": self.shapes[info.domains[0]] if info.domains else None,
            **{f"{key}{SHAPE_SUFFIX}": self.shapes[key] for key in info.conditions},
        }

    def filled(self, choice: Choice, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What of a component's options comes from the data. given: options that need none.

        Raises: BuildError for the shape of a condition that the data do not give.
        """
        values = {name: self.values[name] for name in choice.filled if name in self.values}
        for name in choice.filled:
            if name not in values and name not in (given or {}) and needed(choice, name):
                what = f'it is made for data with "{name.removesuffix(SHAPE_SUFFIX)}", and these give '
                cause = OptionError(f"{what}{' and '.join(self.info.gives)}.", remedy="Choose another dataset.")
                raise BuildError(choice.table, choice, cause)
        return values


class RecipeParts:
    """The builders that a game's constructor is given (`ganzoo.Parts`), for one recipe and one data set.

    built: every network made so far, with the table that chose it and the sample shape it was made for.
    """

    def __init__(self, recipe: Recipe, info: DatasetInfo) -> None:
        self.recipe = recipe
        self.info = info
        self.built: list[tuple[str, Any, Shape]] = []
        self.from_data = FromData(info)
        self.kinds, self.shapes = self.from_data.kinds, self.from_data.shapes

    def generator(self, **options: Any) -> Generator:
        """A new generator from the recipe's [generator], with `options` on top."""
        self._refuse(translators=True)
        generator: Generator = self._network("generator", self.recipe.generator, options)
        return generator

    def translator(self, **options: Any) -> Translator:
        """A new translator from the recipe's [generator], with `options` on top."""
        self._refuse(translators=False)
        translator: Translator = self._network("generator", self.recipe.generator, options)
        return translator

    def discriminator(self, **options: Any) -> Discriminator:
        """A new discriminator from the recipe's [discriminator], with `options` on top."""
        discriminator: Discriminator = self._network("discriminator", self.recipe.discriminator, options)
        return discriminator

    def loss(self, **options: Any) -> Loss:
        """A new loss from the recipe's [loss]."""
        loss: Loss = self._network("loss", self.recipe.loss, options)
        return loss

    def regularizers(self) -> tuple[Regularizer, ...]:
        """A new regularizer for each [[regularizer]] of the recipe, in its order."""
        return tuple(build(choice, **self.from_data.filled(choice)) for choice in self.recipe.regularizers)

    def augmentations(self) -> tuple[Augmentation, ...]:
        """A new augmentation for each [[augment]] of the recipe, in its order."""
        return tuple(build(choice, **self.from_data.filled(choice)) for choice in self.recipe.augmentations)

    def _refuse(self, *, translators: bool) -> None:
        """Says so where [generator] names a translator and the game wants latents turned into samples, or the reverse.

        A translator is known by its parameter `input_shape`. Raises: BuildError.
        """
        choice = self.recipe.generator
        if choice is None or ("input_shape" in (*choice.filled, *choice.options)) != translators:
            return
        made, wanted = ("samples", "latents") if translators else ("latents", "samples")
        game = self.recipe.game.entry.name
        what = f'it makes samples from {made}, and the game "{game}" wants them made from {wanted}.'
        remedy = "Choose another generator, or another game. `ganzoo list` names them."
        raise BuildError("generator", choice, OptionError(what, remedy=remedy))

    def _network(self, table: str, choice: Choice | None, options: dict[str, Any]) -> Any:
        if choice is None:
            game = self.recipe.game.entry.name
            raise BuildError(table, None, ValueError(f'the game "{game}" needs it, and the recipe has no such table'))
        made = build(choice, **{**self.from_data.filled(choice, options), **options})
        self.built.append((table, made, tuple(options.get("sample_shape", self.from_data.values["sample_shape"]))))
        return made


def needed(choice: Choice, name: str) -> bool:
    """Whether a component's constructor has no default for a parameter."""
    parameter = inspect.signature(zoo().resolve(choice.entry)).parameters[name]
    return parameter.default is inspect.Parameter.empty


def build_dataset(choice: Choice) -> Dataset:
    """The recipe's data set, not yet loaded."""
    dataset: Dataset = build(choice)
    return dataset


def build_schedule(choice: Choice) -> Schedule:
    """A player's learning-rate schedule."""
    schedule: Schedule = build(choice)
    return schedule


def planned_game(recipe: Recipe, info: DatasetInfo) -> Game | None:
    """The recipe's game on the meta device: shapes without memory; None where it cannot be built there."""
    with own_randomness(torch.device("cpu")), torch.device("meta"):
        try:
            return build_game(recipe, info)
        except Exception:  # for want of numbers, or since something is wrong: `build_game` says what
            return None


def build_game(recipe: Recipe, info: DatasetInfo) -> Game:
    """The recipe's game with all its networks, on the default device (under `torch.device("meta")`: without memory)."""
    game: Game = build(recipe.game, RecipeParts(recipe, info))
    return game
