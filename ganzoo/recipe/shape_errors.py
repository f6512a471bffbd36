"""Explains why a recipe's components do not fit together: which component, which part of it, which options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import Tensor, nn

from ganzoo.core.data import Shape
from ganzoo.core.interfaces import Augmentation, Regularizer
from ganzoo.errors import GanzooError, Problem
from ganzoo.plugins import error_location, error_text
from ganzoo.recipe.messages import did_you_mean, format_value
from ganzoo.recipe.model import Choice, Recipe
from ganzoo.recipe.parts import BuildError, RecipeParts, build

SIZES = ("sample_shape", "size", "image_size", "resolution", "height", "width", "channels", "grid")
"""Names of options that affect the shape of samples, for suggestions in messages."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that does not fit. table: its key path in the recipe ("" for the whole recipe)."""

    table: str
    what: str
    remedy: str = ""

    def problem(self, recipe: Recipe) -> Problem:
        """The mismatch as a problem with its place in the recipe's file."""
        return Problem(recipe.place(self.table), self.what, self.remedy)


class MismatchError(Exception):
    """All mismatches found by one dry run."""

    def __init__(self, *mismatches: Mismatch) -> None:
        super().__init__(*mismatches)
        self.mismatches = mismatches


class RecordingParts(RecipeParts):
    """Builders that record what they built, and which tables of the recipe the game used."""

    def __init__(self, recipe: Recipe, *rest: Any) -> None:
        super().__init__(recipe, *rest)
        self.used_tables: set[str] = set()
        self.applied: list[tuple[str, Regularizer | Augmentation]] = []

    def regularizers(self) -> tuple[Regularizer, ...]:
        """A new regularizer for each [[regularizer]] of the recipe, in its order."""
        self.used_tables.add("regularizer")
        made = super().regularizers()
        self.applied += [(choice.table, one) for choice, one in zip(self.recipe.regularizers, made, strict=True)]
        return made

    def augmentations(self) -> tuple[Augmentation, ...]:
        """A new augmentation for each [[augment]] of the recipe, in its order."""
        self.used_tables.add("augment")
        made = super().augmentations()
        self.applied += [(choice.table, one) for choice, one in zip(self.recipe.augmentations, made, strict=True)]
        return made

    @property
    def applied_regularizers(self) -> list[tuple[str, Regularizer]]:
        """The regularizers built, each with the recipe's table that chose it."""
        return [(table, made) for table, made in self.applied if isinstance(made, Regularizer)]

    def _network(self, table: str, choice: Choice | None, options: dict[str, Any]) -> Any:
        self.used_tables.add(table)
        return super()._network(table, choice, options)

    def rebuild(self, table: str) -> None:
        """Builds the component of [table] again, with its default inputs from the data. Raises: BuildError."""
        self._network(table, getattr(self.recipe, table), {})

    def networks(self) -> Iterator[tuple[str, nn.Module, Shape]]:
        """The networks that were built: table, network, and sample shape."""
        yield from ((table, made, shape) for table, made, shape in self.built if isinstance(made, nn.Module))

    def owners(self) -> dict[int, tuple[str, str, Any]]:
        """id of each built object and of its submodules -> table, name of the submodule ("network.1"), object."""
        found: dict[int, tuple[str, str, Any]] = {}
        for table, made in (*((table, made) for table, made, _ in self.built), *self.applied):
            found[id(made)] = (table, "", made)
            for name, module in made.named_modules() if isinstance(made, nn.Module) else ():
                found.setdefault(id(module), (table, name, module))
        return found

    def unused(self) -> Iterator[Mismatch]:
        """Tables of the recipe that the game does not use, which would have no effect."""
        game = self.recipe.game.entry.name
        given = {"generator": self.recipe.generator, "discriminator": self.recipe.discriminator}
        given["loss"] = self.recipe.loss
        headings = {table: f"[{table}]" for table, choice in given.items() if choice is not None}
        headings |= {"regularizer": "[[regularizer]]"} if self.recipe.regularizers else {}
        headings |= {"augment": "[[augment]]"} if self.recipe.augmentations else {}
        for table, heading in headings.items():
            if table not in self.used_tables:
                yield Mismatch(table, f'the game "{game}" does not use {heading}.', "Take it out.")


def build_mismatch(recipe: Recipe, error: BuildError) -> Mismatch:
    """A constructor's failure; the innermost one, if the game's constructor failed to build a component."""
    while isinstance(error.cause, BuildError):
        error = error.cause
    if error.choice is None:
        return Mismatch(
            "",
            f"there is no [{error.table}] table: {error_summary(error.cause)}.",
            f'Write [{error.table}], name = "...".',
        )
    remedy = error.cause.remedy if isinstance(error.cause, GanzooError) else ""
    what = f'{error.table} "{error.choice.entry.name}" cannot be built: {reason_and_place(error.cause)}'
    return Mismatch(error.table, what, remedy or format_options(recipe, error.table))


def runtime_mismatch(recipe: Recipe, parts: RecordingParts, error: Exception, data: str) -> Mismatch:
    """An exception in the round, attributed to the innermost component in its traceback."""
    owners = parts.owners()
    for frame in _frames(error):
        table, name, thing = owners.get(id(frame.f_locals.get("self")), ("", "", None))
        if thing is None:
            continue
        choice = next(choice for choice in recipe.choices() if choice.table == table)
        at = f" at {name} ({type(thing).__name__})" if name else ""
        shapes = " and ".join(str(shape) for shape in _inputs(frame))
        took = f" on {shapes}" if shapes else ""
        what = f'{table} "{choice.entry.name}" fails{at}{took}, and {data}: {reason_and_place(error)}'
        return Mismatch(table, what, format_options(recipe, table))
    game = recipe.game.entry.name
    what = f'a round of the game "{game}" fails, and {data}: {reason_and_place(error)}'
    return Mismatch("game", what, format_options(recipe, "game"))


def sample_shape_mismatch(recipe: Recipe, made: Shape, data: str) -> Mismatch:
    """The generator makes samples of another shape than the data."""
    options = [
        f"{table}.{name}"
        for table, choice in (("generator", recipe.generator), ("dataset", recipe.dataset))
        for name in SIZES
        if choice and (name in choice.options or name in choice.filled)
    ]
    advice = f"set {' or '.join(options)}" if options else "choose another generator or another dataset"
    return Mismatch("generator", f"generator makes {made}, {data}: {advice}.")


def format_options(recipe: Recipe, table: str) -> str:
    """A component's present options: "Its options: hidden = [256, 512], latent_dim = 100."."""
    choice = next((choice for choice in recipe.choices() if choice.table == table), None)
    said = [f"{name} = {format_value(value)}" for name, value in choice.options.items()] if choice else []
    return f"Its options: {', '.join(said)}." if said else ""


def player_remedy(name: str, players: Iterable[str]) -> str:
    """The remedy for an unknown player's name."""
    return f"{did_you_mean(name, players)}Its players: {', '.join(players)}."


def error_summary(error: BaseException) -> str:
    """An exception's first line."""
    text = error.what if isinstance(error, GanzooError) else error_text(error)
    first = text.strip().splitlines()[0].strip() if text.strip() else ""
    return (
        first
        if first and not isinstance(error, KeyError | AttributeError)
        else f"{type(error).__name__} {first}".strip()
    )


def reason_and_place(error: BaseException) -> str:
    """An exception's first line as the end of a sentence, with the line of a plugin's file that it comes from."""
    return f"{error_summary(error).rstrip('.')}{error_location(error)}."


def build_failures(recipe: Recipe, parts: RecipeParts) -> Iterator[BuildError]:
    """The failures of constructors of regularizers, augmentations and schedules.

    They do not depend on the networks, so that they can be reported along with a network's failure.
    """
    for choice in (*recipe.regularizers, *recipe.augmentations, *recipe.schedules.values()):
        try:
            build(choice, **parts.from_data.filled(choice))
        except BuildError as error:
            yield error


def _frames(error: BaseException) -> list[FrameType]:
    """The frames that an exception went through, the innermost first."""
    frames, traceback = [], error.__traceback__
    while traceback:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    return frames[::-1]


def _inputs(frame: FrameType) -> Iterator[Shape]:
    """The shapes of the tensors that a function was called with, without parameters."""
    names = frame.f_code.co_varnames[1 : frame.f_code.co_argcount]
    values = [frame.f_locals.get(name) for name in names]
    values += frame.f_locals.get("args", ()) if "args" in frame.f_code.co_varnames else ()
    yield from (
        tuple(value.shape) for value in values if isinstance(value, Tensor) and not isinstance(value, nn.Parameter)
    )
