"""What does not fit in a recipe's round, said in the recipe's keys: which component, what part of it, which options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import Tensor, nn

from ganzoo.core.data import Shape
from ganzoo.core.interfaces import Augmentation, Regularizer
from ganzoo.errors import GanzooError, Problem
from ganzoo.plugins import frame_said
from ganzoo.recipe.messages import did_you_mean, shown
from ganzoo.recipe.model import Choice, Recipe
from ganzoo.recipe.parts import BuildError, RecipeParts, build

SIZES = ("sample_shape", "size", "image_size", "resolution", "height", "width", "channels", "grid")
"""Options that have to do with the shape of samples, as messages suggest them."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit. table: the key path in the recipe that it is about ("" for the whole of it)."""

    table: str
    what: str
    remedy: str = ""

    def problem(self, recipe: Recipe) -> Problem:
        """The same, with its place in the recipe's file."""
        return Problem(recipe.place(self.table), self.what, self.remedy)


class MisfitError(Exception):
    """Everything that one rehearsal found."""

    def __init__(self, *misfits: Misfit) -> None:
        super().__init__(*misfits)
        self.misfits = misfits


class WatchedParts(RecipeParts):
    """Builders that remember what they built, and which of the recipe's tables the game asked for."""

    def __init__(self, recipe: Recipe, *rest: Any) -> None:
        super().__init__(recipe, *rest)
        self.asked: set[str] = set()
        self.penalties: list[tuple[str, Regularizer]] = []
        self.changes: list[tuple[str, Augmentation]] = []

    def regularizers(self) -> tuple[Regularizer, ...]:
        """A new regularizer for each [[regularizer]] of the recipe, in its order."""
        self.asked.add("regularizer")
        made = super().regularizers()
        self.penalties += [(choice.table, one) for choice, one in zip(self.recipe.regularizers, made, strict=True)]
        return made

    def augmentations(self) -> tuple[Augmentation, ...]:
        """A new augmentation for each [[augment]] of the recipe, in its order."""
        self.asked.add("augment")
        made = super().augmentations()
        self.changes += [(choice.table, one) for choice, one in zip(self.recipe.augmentations, made, strict=True)]
        return made

    def _network(self, table: str, choice: Choice | None, options: dict[str, Any]) -> Any:
        self.asked.add(table)
        return super()._network(table, choice, options)

    def again(self, table: str) -> None:
        """Builds what [table] names once more, as the data fill it in. Raises: BuildError."""
        self._network(table, getattr(self.recipe, table), {})

    def networks(self) -> Iterator[tuple[str, nn.Module, Shape]]:
        """What was built that has weights: the table that chose it, and the sample shape that it is for."""
        yield from ((table, made, shape) for table, made, shape in self.built if isinstance(made, nn.Module))

    def owners(self) -> dict[int, tuple[str, str, Any]]:
        """Identity of each thing built, and of each module in it -> its table, its name there ("network.1"), itself."""
        found: dict[int, tuple[str, str, Any]] = {}
        for table, made in (*((table, made) for table, made, _ in self.built), *self.penalties, *self.changes):
            found[id(made)] = (table, "", made)
            for name, module in made.named_modules() if isinstance(made, nn.Module) else ():
                found.setdefault(id(module), (table, name, module))
        return found

    def unused(self) -> Iterator[Misfit]:
        """Tables of the recipe that the game never asked for: whoever wrote them believes that they do something."""
        game = self.recipe.game.entry.name
        given = {"generator": self.recipe.generator, "discriminator": self.recipe.discriminator}
        given |= {"loss": self.recipe.loss}
        written = [(table, f"[{table}]") for table, choice in given.items() if choice is not None]
        several = {"regularizer": self.recipe.regularizers, "augment": self.recipe.augmentations}
        written += [(table, f"[[{table}]]") for table, choices in several.items() if choices]
        for table, heading in written:
            if table not in self.asked:
                yield Misfit(table, f'the game "{game}" does not use {heading}.', "Take it out.")


def cannot_be_built(recipe: Recipe, error: BuildError) -> Misfit:
    """A constructor's failure; where the game's came of one of its parts, that part's."""
    while isinstance(error.cause, BuildError):
        error = error.cause
    if error.choice is None:
        return Misfit(
            "", f"there is no [{error.table}] table: {reason(error.cause)}.", f'Write [{error.table}], name = "...".'
        )
    remedy = error.cause.remedy if isinstance(error.cause, GanzooError) else ""
    what = f'{error.table} "{error.choice.entry.name}" cannot be built: {reason_and_place(error.cause)}'
    return Misfit(error.table, what, remedy or options_said(recipe, error.table))


def does_not_run(recipe: Recipe, parts: WatchedParts, error: Exception, data: str) -> Misfit:
    """An exception out of the round, laid to the innermost part of the recipe in which it arose."""
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
        return Misfit(table, what, options_said(recipe, table))
    game = recipe.game.entry.name
    what = f'a round of the game "{game}" fails, and {data}: {reason_and_place(error)}'
    return Misfit("game", what, options_said(recipe, "game"))


def other_shape(recipe: Recipe, made: Shape, data: str) -> Misfit:
    """The generator makes samples of another shape than the data have."""
    options = [
        f"{table}.{name}"
        for table, choice in (("generator", recipe.generator), ("dataset", recipe.dataset))
        for name in SIZES
        if choice and (name in choice.options or name in choice.filled)
    ]
    advice = f"set {' or '.join(options)}" if options else "choose another generator or another dataset"
    return Misfit("generator", f"generator makes {made}, {data}: {advice}.")


def options_said(recipe: Recipe, table: str) -> str:
    """A component's options as they are set: "Its options: hidden = [256, 512], latent_dim = 100."."""
    choice = next((choice for choice in recipe.choices() if choice.table == table), None)
    said = [f"{name} = {shown(value)}" for name, value in choice.options.items()] if choice else []
    return f"Its options: {', '.join(said)}." if said else ""


def no_such_player(name: str, players: Iterable[str]) -> str:
    """The remedy for a player's name that is none."""
    return f"{did_you_mean(name, players)}Its players: {', '.join(players)}."


def reason(error: BaseException) -> str:
    """An exception's first line."""
    text = error.what if isinstance(error, GanzooError) else str(error)
    first = text.strip().splitlines()[0].strip() if text.strip() else ""
    return (
        first
        if first and not isinstance(error, KeyError | AttributeError)
        else f"{type(error).__name__} {first}".strip()
    )


def reason_and_place(error: BaseException) -> str:
    """An exception's first line as the end of a sentence, with the line of a plugin's file that it comes from."""
    return f"{reason(error).rstrip('.')}{frame_said(error)}."


def build_failures(recipe: Recipe, parts: RecipeParts) -> Iterator[BuildError]:
    """Every one of the recipe's regularizers, augmentations and schedules whose constructor fails by itself.

    They need no network, so that they can be told along with a network's failure.
    """
    for choice in (*recipe.regularizers, *recipe.augmentations, *recipe.schedules.values()):
        try:
            build(choice, **parts.filled(choice))
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
    """The shapes of the tensors that a function was called with, its own weights left out."""
    names = frame.f_code.co_varnames[1 : frame.f_code.co_argcount]
    values = [frame.f_locals.get(name) for name in names]
    values += frame.f_locals.get("args", ()) if "args" in frame.f_code.co_varnames else ()
    yield from (
        tuple(value.shape) for value in values if isinstance(value, Tensor) and not isinstance(value, nn.Parameter)
    )
