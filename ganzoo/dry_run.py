"""One round of the game without data and without memory: what does not fit is found here, and named as recipe keys.

The networks are built and played on torch's meta device, which has shapes and no numbers. Where an operation has no
meta kernel, a tiny batch of random numbers on the CPU takes its place.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from ganzoo.engine.device import own_randomness
from ganzoo.errors import GanzooError, Problem, RecipeError
from ganzoo.game import Game
from ganzoo.interfaces import Batch, DatasetInfo, Shape
from ganzoo.parts import BuildError, RecipeParts, build
from ganzoo.recipe.model import Recipe

TINY = 4
"""Samples in the batch on the CPU."""

BYTES_A_PARAMETER = 16
"""A float32 weight, its gradient, and Adam's two averages."""

SIZES = ("sample_shape", "size", "image_size", "resolution", "height", "width", "channels")
"""Options that have to do with the shape of samples, as messages suggest them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a round showed. info: the data that it was for; draws_per_round: batches a step takes; parameters: by player;
    metrics: the names that a row of metrics.jsonl will have."""

    info: DatasetInfo
    draws_per_round: int
    parameters: Mapping[str, int]
    metrics: tuple[str, ...]


class Misfit(Exception):
    """Something in the round that does not fit, as one problem of the recipe."""

    def __init__(self, table: str, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.table = table
        self.what = what
        self.remedy = remedy


def dry_run(recipe: Recipe, info: DatasetInfo) -> DryRun:
    """Plays one round of `recipe` on data like `info`. Raises: RecipeError, with every misfit that one round can show."""
    with own_randomness(torch.device("cpu")):
        try:
            try:
                return Rehearsal(recipe, info, torch.device("meta"), recipe.train.batch_size).play()
            except Exception as error:
                if not about_meta(error):
                    raise
                return Rehearsal(recipe, info, torch.device("cpu"), min(TINY, recipe.train.batch_size)).play()
        except Misfit as misfit:
            raise RecipeError([_problem(recipe, misfit)]) from misfit
        except ExceptionGroup as group:
            problems = [_problem(recipe, misfit) for misfit in group.exceptions if isinstance(misfit, Misfit)]
            raise RecipeError(problems) from group


def about_meta(error: BaseException) -> bool:
    """Whether an operation failed for want of a meta kernel, and not because something does not fit."""
    while isinstance(error, Misfit | BuildError) and error.__cause__:
        error = error.__cause__
    return isinstance(error, NotImplementedError) or "meta tensor" in str(error).lower() or "'Meta'" in str(error)


class Rehearsal:
    """One round of one recipe on one device; `within` follows which of its networks is computing."""

    def __init__(self, recipe: Recipe, info: DatasetInfo, device: torch.device, batch_size: int) -> None:
        self.recipe = recipe
        self.info = info
        self.device = device
        self.batch_size = batch_size
        self.draws = 0
        self.within: list[tuple[str, Shape]] = []

    def play(self) -> DryRun:
        """Builds, checks the tables against the players, and plays. Raises: Misfit, or a group of them."""
        game, players = self.build()
        if wrong := list(self.tables(game, players)):
            raise ExceptionGroup("the recipe does not fit its game", wrong)
        metrics: dict[str, None] = {}
        with self.blamed():
            for move in game.play(self.draw):
                if move.player not in players:
                    raise Misfit("game", f'the game moves a player "{move.player}" that is not one of {", ".join(players)}.')
                if move.loss.ndim:
                    shape = tuple(move.loss.shape)
                    raise Misfit("loss", f"the loss of {move.player} has the shape {shape}, and should be one number.")
                move.loss.backward(inputs=[p for p in players[move.player].parameters() if p.requires_grad])
                metrics |= dict.fromkeys((f"loss/{move.player}", *move.metrics))
        if not self.draws:
            raise Misfit("game", "a round of this game draws no data, so that its epochs can't be counted.")
        self.check_stop(metrics)
        return DryRun(
            info=self.info,
            draws_per_round=self.draws,
            parameters={name: count(module) for name, module in players.items()},
            metrics=tuple(metrics),
        )

    def build(self) -> tuple[Game, Mapping[str, nn.Module]]:
        """The game on the device, every network watched. Raises: Misfit where a constructor fails or memory would not do."""
        parts = RecipeParts(self.recipe, self.info)
        try:
            with torch.device(self.device):
                game: Game = build(self.recipe.game, parts)
        except BuildError as error:
            raise self.unbuilt(error) from error.cause
        for table, module, shape in parts.built:
            if isinstance(module, nn.Module):
                self.watch(table, module, shape)
        players = game.players()
        needed = sum(count(module) for module in players.values()) * BYTES_A_PARAMETER
        if needed > psutil.virtual_memory().available:
            table, module = max(((t, m) for t, m, _ in parts.built if isinstance(m, nn.Module)), key=lambda tm: count(tm[1]))
            raise Misfit(
                table,
                f"training takes {needed / 2**30:,.0f} GiB for weights, gradients and Adam alone, and this machine has "
                f"{psutil.virtual_memory().available / 2**30:,.0f} GiB free: [{table}] makes {count(module):,} parameters.",
                f"Make it smaller: {options_in_words(self.recipe, table)}.",
            )
        return game, players

    def tables(self, game: Game, players: Mapping[str, nn.Module]) -> Iterator[Misfit]:
        """What the recipe's tables for players, and the data's keys, leave to be desired."""
        for key in game.needs:
            if key not in self.info.gives:
                data = self.recipe.dataset.entry.name
                yield Misfit("game", f'this game needs "{key}" of each sample, and the dataset {data} gives {", ".join(self.info.gives)}.')
        named = {"optimizer": self.recipe.optimizers, "schedule": self.recipe.schedules}
        for shelf, tables in named.items():
            for player in tables:
                if player not in players:
                    yield Misfit(f"{shelf}.{player}", f"{shelf}.{player} is for a player that this game has not.", nearest(player, players))
        for player in self.recipe.ema.players if self.recipe.ema else ():
            if player not in players:
                yield Misfit("ema", f'ema.players: this game has no player "{player}".', nearest(player, players))
        for player, module in players.items():
            if player not in self.recipe.optimizers:
                yield Misfit("game", f"the player {player} has no optimizer.", f'Write [optimizer.{player}] and name = "adam".')
                continue
            parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
            if not parameters:
                yield Misfit(player, f"the player {player} has nothing to learn: no parameters.")
                continue
            try:
                build(self.recipe.optimizers[player], parameters)
                if player in self.recipe.schedules:
                    build(self.recipe.schedules[player])
            except BuildError as error:
                yield self.unbuilt(error)

    def draw(self) -> Batch:
        """A batch of the right shapes, and of no or random content."""
        self.draws += 1
        image = torch.rand(self.batch_size, *self.info.sample_shape, device=self.device) * 2 - 1
        labels = torch.zeros(self.batch_size, dtype=torch.int64, device=self.device)
        return {key: image if key == "image" else labels for key in self.info.gives}

    def watch(self, table: str, module: nn.Module, expected: Shape) -> None:
        """Follows what goes into a network, and checks what comes out."""

        def enter(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            first = next((value for value in inputs if isinstance(value, Tensor)), None)
            self.within.append((table, () if first is None else tuple(first.shape)))

        def leave(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            _, shape = self.within.pop()
            if not isinstance(output, Tensor):
                raise Misfit(table, f"{table} returns a {type(output).__name__}, and should return a tensor.")
            made = tuple(output.shape[1:])
            if table == "generator" and made != expected:
                raise self.foreign(made, expected)
            if table == "discriminator" and (not output.ndim or output.shape[0] != shape[0]):
                raise Misfit(table, f"discriminator returns scores {tuple(output.shape)} for {shape[0]} samples, and should return (N,).")

        module.register_forward_pre_hook(enter)
        module.register_forward_hook(leave)

    def foreign(self, made: Shape, expected: Shape) -> Misfit:
        """The generator makes samples of another shape than the data have."""
        data = self.recipe.dataset.entry.name
        options = [
            f"{table}.{name}"
            for table, choice in (("generator", self.recipe.generator), ("dataset", self.recipe.dataset))
            for name in SIZES
            if choice and (name in choice.options or name in choice.filled)
        ]
        advice = f"set {' or '.join(options)}" if options else "choose another generator or another dataset"
        return Misfit("generator", f"generator makes {made}, dataset {data} holds {expected}: {advice}.")

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Turns what the round raises into a Misfit of the network in which it arose."""
        try:
            yield
        except Misfit:
            raise
        except Exception as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            if self.within:
                table, shape = self.within[-1]
                data = f"dataset {self.recipe.dataset.entry.name} holds {self.info.sample_shape}"
                what = f"{table} cannot take {shape} ({data}): {reason}"
                raise Misfit(table, what, f"Its options: {options_in_words(self.recipe, table)}.") from error
            raise Misfit("game", f'a round of the game "{self.recipe.game.entry.name}" fails: {reason}') from error

    def unbuilt(self, error: BuildError) -> Misfit:
        """A constructor's failure."""
        cause = error.cause
        what = cause.what if isinstance(cause, GanzooError) else f"{str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__}"
        remedy = cause.remedy if isinstance(cause, GanzooError) else ""
        if error.choice is None:
            return Misfit("", f"[{error.table}] is missing: {what}.", f'Write [{error.table}] and name = "...".')
        name = error.choice.entry.name
        return Misfit(error.table, f'{error.table} "{name}" cannot be made: {what}', remedy or f"Its options: {options_in_words(self.recipe, error.table)}.")

    def check_stop(self, metrics: Mapping[str, None]) -> None:
        """The metric that [train.stop] watches must be one that the game logs."""
        stop = self.recipe.train.stop
        if stop and stop.metric and stop.metric not in metrics:
            raise Misfit("train.stop", f'train.stop.metric: this game logs no "{stop.metric}".', f"It logs: {', '.join(metrics)}.")


def count(module: nn.Module) -> int:
    """Parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def options_in_words(recipe: Recipe, table: str) -> str:
    """A table's options as they are set: "generator.hidden = [256, 512]"."""
    said = [f"{path} = {_value(recipe, path)}" for path in recipe.origins if path.startswith(f"{table}.") and not path.endswith(".name")]
    return ", ".join(said) or "none"


def nearest(name: str, names: Mapping[str, object]) -> str:
    """The remedy for a player that is none."""
    close = difflib.get_close_matches(name, names, n=1)
    return f"{f'Did you mean {close[0]}? ' if close else ''}Its players: {', '.join(names)}."


def _value(recipe: Recipe, path: str) -> object:
    value: Any = recipe.values
    for part in path.replace("[", ".").replace("]", "").split("."):
        step: Callable[[Any], Any] = (lambda v, p=part: v[int(p)]) if isinstance(value, list) else (lambda v, p=part: v.get(p, "from the data"))
        value = step(value)
    return value


def _problem(recipe: Recipe, misfit: Misfit) -> Problem:
    keys = [f"{misfit.table}.name", *(path for path in recipe.origins if path.startswith(misfit.table)), *recipe.origins]
    places = (recipe.origins[key].text for key in keys if key in recipe.origins)
    where = next((text for text in places if not text.startswith(("default", "filled"))), recipe.name)
    return Problem(where, misfit.what, misfit.remedy)
