"""One round of the game without data and without memory: what does not fit is found here, and named as recipe keys.

The networks are built and played on torch's meta device, which has shapes and no numbers. Where an operation has no
meta kernel, a tiny batch of random numbers on the CPU takes its place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from ganzoo.core.data import Batch, DatasetInfo, Shape
from ganzoo.core.game import Game
from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import RecipeError
from ganzoo.plugins import contained, error_text, zoo
from ganzoo.recipe.drawing_check import DrawingCheck
from ganzoo.recipe.freezing import freeze
from ganzoo.recipe.keys import format_key
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parameter_groups import ParameterGroupsError, build_optimizer
from ganzoo.recipe.parts import BuildError, build
from ganzoo.recipe.regularizer_check import RegularizerCheck, without_player
from ganzoo.recipe.shape_errors import (
    Mismatch,
    MismatchError,
    RecordingParts,
    build_failures,
    build_mismatch,
    format_options,
    player_remedy,
    reason_and_place,
    runtime_mismatch,
    sample_shape_mismatch,
)

TINY = 4
"""Samples in the batch on the CPU."""

LONGEST = 256
"""Moves in a round. A paper's critic moves five times, a hundred at most."""

BYTES_A_PARAMETER = 16
"""A float32 weight, its gradient, and Adam's two averages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a round showed.

    info: the data that it was for; draws_per_round: batches a step takes; parameters: by player; metrics: the names
    of what a row of metrics.jsonl will hold; conditions: what the game's samples are made for.
    """

    info: DatasetInfo
    draws_per_round: int
    parameters: Mapping[str, int]
    metrics: tuple[str, ...]
    conditions: tuple[str, ...] = ()

    @property
    def players(self) -> tuple[str, ...]:
        """The game's players."""
        return tuple(self.parameters)


@contained()
def dry_run(recipe: Recipe, info: DatasetInfo, *, dataset: str = "") -> DryRun:
    """Plays one round of `recipe` on data like `info`.

    dataset: the name of the data at hand where it is not the recipe's own (its fallback).
    Raises: RecipeError, with every misfit that one round can show. The random streams stay as they are.
    """
    shapes = " and ".join(f"{key} {info.fields[key].shape}" for key in info.domains) or str(info.sample_shape)
    data = f"dataset {dataset or recipe.dataset.entry.name} holds {shapes}"
    with own_randomness(torch.device("cpu")):
        try:
            try:
                return Rehearsal(recipe, info, torch.device("meta"), recipe.train.batch_size, data).play()
            except MismatchError as error:
                if not about_meta(error):
                    raise
                return Rehearsal(recipe, info, torch.device("cpu"), min(TINY, recipe.train.batch_size), data).play()
        except MismatchError as found:
            raise RecipeError([mismatch.problem(recipe) for mismatch in found.mismatches]) from found


def about_meta(error: BaseException | None) -> bool:
    """Whether something failed for want of numbers or of a meta kernel, and not because it does not fit."""
    while error is not None:
        if isinstance(error, NotImplementedError) or re.search(r"\bmeta\b", error_text(error), re.IGNORECASE):
            return True
        error = error.__cause__
    return False


class Rehearsal:
    """One round of one recipe on one device."""

    def __init__(self, recipe: Recipe, info: DatasetInfo, device: torch.device, batch_size: int, data: str) -> None:
        self.recipe = recipe
        self.info = info
        self.device = device
        self.batch_size = batch_size
        self.data = data
        self.draws = 0
        self.needs: tuple[str, ...] = ()
        self.dtypes: dict[str, torch.dtype] = {}
        self.parts = RecordingParts(recipe, info)

    def play(self) -> DryRun:
        """Builds, checks the tables against the players, and plays. Raises: MismatchError."""
        try:
            game = self.build()
        except MismatchError:  # perhaps for want of what it needs to know of the data
            if missing := list(self.keys(zoo().resolve(self.recipe.game.entry))):
                raise MismatchError(*missing) from None
            raise
        players = self.players(game)
        freeze(self.recipe, players)
        self.fits_memory(players)
        made = self.parts.applied_regularizers
        if wrong := [
            *self.tables(players),
            *without_player(self.recipe, made, players),
            *self.keys(game),
            *self.parts.unused(),
        ]:
            raise MismatchError(*wrong)
        rules = RegularizerCheck(self.recipe, made, players)
        metrics: dict[str, None] = {}
        try:
            with contained():
                self.round(game, players, metrics)
                self.show(game)
        except MismatchError:
            raise
        except Exception as error:
            raise MismatchError(runtime_mismatch(self.recipe, self.parts, error, self.data)) from error
        if left_out := list(rules.left_out()):
            raise MismatchError(*left_out)
        stop = self.recipe.train.stop
        logged = (*metrics, *(self.recipe.evaluate.scores if self.recipe.evaluate else ()))
        if stop and stop.metric and stop.metric not in logged:
            what = f'train.stop.metric: this game logs no "{stop.metric}".'
            raise MismatchError(Mismatch("train.stop.metric", what, f"It logs: {', '.join(logged)}."))
        return DryRun(
            info=self.info,
            draws_per_round=self.draws,
            parameters={name: count(module) for name, module in players.items()},
            metrics=tuple(metrics),
            conditions=tuple(game.conditions),
        )

    def build(self) -> Game:
        """The game on the device, every network watched. Raises: MismatchError where constructors fail."""
        try:
            with torch.device(self.device):
                game: Game = build(self.recipe.game, self.parts)
        except BuildError as error:
            failures = {mismatch.table: mismatch for mismatch in self.failures(error)}
            raise MismatchError(*failures.values()) from error
        for table, network, shape in self.parts.networks():
            if table in ("generator", "discriminator"):
                network.register_forward_hook(self.watch(table, shape))
        return game

    def failures(self, first: BuildError) -> Iterator[Mismatch]:
        """The constructor that failed, and those of the other parts that would have failed after it."""
        yield build_mismatch(self.recipe, first)
        for table in ("generator", "discriminator", "loss"):
            try:
                with torch.device(self.device):
                    self.parts.rebuild(table)
            except BuildError as error:
                if error.choice is not None:
                    yield build_mismatch(self.recipe, error)
        yield from (build_mismatch(self.recipe, error) for error in build_failures(self.recipe, self.parts))

    def players(self, game: Game) -> Mapping[str, nn.Module]:
        """The game's players. Raises: MismatchError."""
        try:
            with contained():
                players = dict(game.players())
        except Exception as error:
            raise MismatchError(runtime_mismatch(self.recipe, self.parts, error, self.data)) from error
        if not players:
            raise MismatchError(Mismatch("game", f'the game "{self.recipe.game.entry.name}" has no players.'))
        return players

    def fits_memory(self, players: Mapping[str, nn.Module]) -> None:
        """Refuses weights, or a batch, that are alone more than this machine holds. Raises: MismatchError."""
        needed = sum(count(module) for module in players.values()) * BYTES_A_PARAMETER
        free = psutil.virtual_memory().available
        if self.batch_bytes() > free:
            what = (
                f"a batch is {self.batch_bytes() / 2**30:,.1f} GiB, and this machine has {free / 2**30:,.1f} GiB free"
            )
            raise MismatchError(Mismatch("train.batch_size", f"{what}; {self.data}.", "Lower train.batch_size."))
        if needed <= free:
            return
        networks = [(table, count(network)) for table, network, _ in self.parts.networks()] or [("game", 0)]
        table, parameters = max(networks, key=lambda network: network[1])
        what = (
            f"{table} has {parameters:,} parameters: training takes {needed / 2**30:,.1f} GiB for weights, gradients "
            f"and Adam's averages alone, and this machine has {free / 2**30:,.1f} GiB free."
        )
        raise MismatchError(Mismatch(table, what, format_options(self.recipe, table)))

    def batch_bytes(self) -> int:
        """What a batch of real samples takes, in float32."""
        return 4 * self.recipe.train.batch_size * sum(math.prod(shape) for shape in self.parts.shapes.values())

    def tables(self, players: Mapping[str, nn.Module]) -> Iterator[Mismatch]:
        """What the recipe's tables for players leave to be desired."""
        game = self.recipe.game.entry.name
        for shelf, tables in (("optimizer", self.recipe.optimizers), ("schedule", self.recipe.schedules)):
            for player in tables:
                if player not in players:
                    table = format_key((shelf, player))
                    what = f'{table}: the game "{game}" has no player of that name.'
                    yield Mismatch(table, what, player_remedy(player, players))
        named = {
            "ema.players": self.recipe.ema.players if self.recipe.ema else (),
            "start.players": (self.recipe.start.players if self.recipe.start else None) or (),
        }
        for key, player in ((key, player) for key, listed in named.items() for player in listed):
            if player not in players:
                what = f'{key}: the game "{game}" has no player "{player}".'
                yield Mismatch(key, what, player_remedy(player, players))
        for player, module in players.items():
            if player not in self.recipe.optimizers:
                what = f'there is no [optimizer.{player}], and the game "{game}" has that player.'
                yield Mismatch("optimizer", what, f'Write [optimizer.{player}] and name = "adam".')
            else:
                yield from self.optimizer(player, module)
            if player in self.recipe.schedules:
                yield from _failure(self.recipe, lambda player=player: build(self.recipe.schedules[player]))  # type: ignore[misc]

    def optimizer(self, player: str, module: nn.Module) -> Iterator[Mismatch]:
        """What is wrong with a player's optimizer."""
        if not any(parameter.requires_grad for parameter in module.parameters()):
            yield Mismatch(player, f"the player {player} has nothing to learn: it has no parameters.")
            return
        try:
            yield from _failure(self.recipe, lambda: build_optimizer(self.recipe.optimizers[player], player, module))
        except ParameterGroupsError as error:
            yield Mismatch(player, error.what, error.remedy)

    def keys(self, game: Game | type[Game]) -> Iterator[Mismatch]:
        """What the game reads from a batch and the data do not give."""
        for key in dict.fromkeys((*game.needs, *game.conditions)):
            if key not in self.info.gives:
                what = f'the game "{self.recipe.game.entry.name}" needs "{key}" of each sample, and {self.data}'
                yield Mismatch(
                    "dataset", f"{what} and gives {' and '.join(self.info.gives)}.", "Choose another dataset."
                )

    def round(self, game: Game, players: Mapping[str, nn.Module], metrics: dict[str, None]) -> None:
        """Plays, without the updates. metrics: takes the names logged. Raises: MismatchError, or as the game does."""
        self.needs = game.needs
        name = self.recipe.game.entry.name
        for number, move in enumerate(game.play(self.draw), start=1):
            if number > LONGEST:
                what = f'a round of the game "{name}" has more than {LONGEST:,} moves.'
                raise MismatchError(Mismatch("game", what, format_options(self.recipe, "game")))
            if move.player not in players:
                what = f'the game "{name}" moves a player "{move.player}" that it does not have.'
                raise MismatchError(Mismatch("game", what, player_remedy(move.player, players)))
            if not isinstance(move.loss, Tensor) or move.loss.ndim:
                shape = f"has the shape {tuple(move.loss.shape)}" if isinstance(move.loss, Tensor) else "is no tensor"
                raise MismatchError(
                    Mismatch("loss", f"the loss of {move.player} {shape}; it should be a scalar tensor.")
                )
            if not move.loss.requires_grad:
                raise MismatchError(Mismatch("loss", f"the loss of {move.player} does not depend on any weights."))
            inputs = [parameter for parameter in players[move.player].parameters() if parameter.requires_grad]
            move.loss.backward(inputs=inputs)
            metrics.update(dict.fromkeys((f"loss/{move.player}", *move.metrics)))
        if not self.draws:
            raise MismatchError(
                Mismatch("game", f'a round of the game "{name}" draws no data, so that epochs cannot be counted.')
            )

    def show(self, game: Game) -> None:
        """Previews, draws and writes one sample, as grids and `ganzoo sample` will. Raises: MismatchError."""
        conditions = {key: self.content(key) for key in game.conditions}
        DrawingCheck(self.recipe, self.parts, self.info, self.data).check(
            game, self.batch(), conditions, self.batch_size
        )

    def draw(self) -> Batch:
        """The next batch of the round."""
        self.draws += 1
        return self.batch()

    def batch(self) -> Batch:
        """A batch of what the game needs, with random content or none: the keys that training gives, and no others."""
        return NeededKeys(self.recipe, {key: self.content(key) for key in self.needs})

    def content(self, key: str) -> Tensor:
        """A batch of examples of that key, of the shape and dtype that networks see in training."""
        dtype, shape = self.unit_dtype(key), self.parts.shapes[key]
        if not dtype.is_floating_point:
            return torch.zeros(self.batch_size, *shape, dtype=dtype, device=self.device)
        if self.info.fields[key].role == "mask":
            return torch.ones(self.batch_size, *shape, dtype=dtype, device=self.device)
        return torch.rand(self.batch_size, *shape, dtype=dtype, device=self.device) * 2 - 1

    def unit_dtype(self, key: str) -> torch.dtype:
        """The dtype of examples as networks see them, found by one of zeros. Raises: MismatchError."""
        if key not in self.dtypes:
            field, shape = self.info.fields[key], self.parts.shapes[key]
            kind = self.info.kind_of(key)
            try:
                example = self.parts.kinds.to_unit(key, torch.zeros(1, *field.shape, dtype=field.torch_dtype))
            except Exception as error:
                what = f'the kind "{kind}" cannot take "{key}" {field.shape} {field.dtype} to what networks see: '
                raise MismatchError(Mismatch("dataset", what + reason_and_place(error))) from error
            if tuple(example.shape) != (1, *shape):
                what = f'the kind "{kind}" makes {tuple(example.shape[1:])} of "{key}" {field.shape}'
                raise MismatchError(Mismatch("dataset", f"{what}, and its unit_shape says {shape}."))
            self.dtypes[key] = example.dtype
        return self.dtypes[key]

    def watch(self, table: str, expected: Shape) -> Callable[[nn.Module, Any, Any], None]:
        """A hook that looks at what comes out of a generator or a discriminator."""

        def look(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            n = next((len(value) for value in inputs if isinstance(value, Tensor) and value.ndim), None)
            several = isinstance(output, list | tuple) and output and all(isinstance(each, Tensor) for each in output)
            if not isinstance(output, Tensor) and not several:
                what = f"{table} returns a {type(output).__name__}; it should return a tensor, or a list of them."
                raise MismatchError(Mismatch(table, what))
            if table == "generator" and isinstance(output, Tensor) and tuple(output.shape[1:]) != expected:
                raise MismatchError(sample_shape_mismatch(self.recipe, tuple(output.shape[1:]), self.data))
            for made in map(tuple, (each.shape for each in (output if several else [output]))):
                if n is not None and made[:1] != (n,):
                    right = "scores (N,)" if table == "discriminator" else f"(N, {', '.join(map(str, expected))})"
                    what = f"{table} returns {made} for {n} samples; it should return {right}."
                    raise MismatchError(Mismatch(table, what))

        return look


class NeededKeys(dict[str, Tensor]):
    """A batch with the keys that the game needs; reading another one is an error that names it."""

    def __init__(self, recipe: Recipe, batch: Batch) -> None:
        super().__init__(batch)
        self.game = recipe.game.entry.name

    def __missing__(self, key: str) -> Tensor:
        what = f'the game "{self.game}" reads "{key}" of a batch, and needs only {" and ".join(self)}.'
        raise MismatchError(
            Mismatch("game", what, f'Its author names every key that it reads: needs = ("{key}", ...).')
        )


def _failure(recipe: Recipe, builder: Callable[[], object]) -> Iterator[Mismatch]:
    try:
        builder()
    except BuildError as error:
        yield build_mismatch(recipe, error)


def count(module: nn.Module) -> int:
    """Parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())
