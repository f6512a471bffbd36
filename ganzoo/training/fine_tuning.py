"""Fine-tuning: training that begins with weights from elsewhere, by the recipe's [start] table.

Only players' weights and buffers are taken. Optimizers, averages, counts of moves and random streams begin afresh.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganzoo.datasets.root import with_home
from ganzoo.errors import CheckpointError, Problem, RecipeError
from ganzoo.recipe.messages import did_you_mean, format_value
from ganzoo.recipe.model import Recipe, Start
from ganzoo.runs.checkpoint import Tensors, checkpoints_of, read_state
from ganzoo.runs.directory import RunDirectory
from ganzoo.runs.record import RunRecord
from ganzoo.runs.tensor_file import check_inside, read_tensors

FROM = "start.from"

EMA = "ema-"
"""How the names of files with averaged weights begin."""


class StartError(CheckpointError):
    """What [start] names cannot be begun with. key: of the recipe, that it is about."""

    def __init__(self, what: str, *, remedy: str = "", key: str = FROM) -> None:
        super().__init__(what, remedy=remedy)
        self.key = key


@dataclass(frozen=True, slots=True)
class PlayerWeights:
    """One player's weights in a file. digest: the file's SHA-256."""

    file: str
    tensors: Tensors
    digest: str
    averaged: bool


@dataclass(frozen=True, slots=True)
class StartWeights:
    """The weights that [start] names, read and verified.

    source: as the recipe has it; path: the checkpoint's folder, or the file; step: of the checkpoint; players: by name;
    file: the weights of a lone file, whose player or players are known by the game's.
    """

    source: str
    path: Path
    step: int | None
    players: Mapping[str, PlayerWeights]
    file: PlayerWeights | None = None

    @property
    def digests(self) -> str:
        """What all ranks have to have read alike."""
        files = [*self.players.values(), *([self.file] if self.file else [])]
        return " ".join(f"{each.file} {each.digest}" for each in files)


def read_start(recipe: Recipe) -> StartWeights | None:
    """The weights that the recipe's [start] names; None where it names none.

    Raises: RecipeError, with the line, where there are none, they are damaged, or lack a player that is asked for.
    """
    start = recipe.start
    if start is None or start.source is None:
        return None
    try:
        path = with_home(start.source)
        if path.suffix == ".safetensors":
            return read_file(start.source, path)
        return read_checkpoint(start.source, checkpoint_at(path), start)
    except CheckpointError as error:
        raise with_place(recipe, error) from error


def load_start(weights: StartWeights, recipe: Recipe, players: Mapping[str, nn.Module]) -> dict[str, Any]:
    """Gives the game's players the weights that fit them, and returns what was done as run.json says it.

    A tensor whose name or shape the network does not have is left out, and what the file does not give stays as it was
    drawn. Raises: RecipeError, with the line, where nothing fits a player.
    """
    wanted = recipe.start.players if recipe.start else None
    try:
        given = weights.players if weights.file is None else of_players(weights.file, wanted, players)
        taken = {name: each for name, each in given.items() if name in players}
        if not taken:
            what = f"{FROM}: {weights.path} has weights of {', '.join(given)}, and the game has no such player."
            raise StartError(what, remedy=f"Its players: {', '.join(players)}.")
        loaded = {name: load_player(name, each, players[name], taken) for name, each in taken.items()}
    except CheckpointError as error:
        raise with_place(recipe, error) from error
    return {
        "from": weights.source,
        "path": str(weights.path.resolve()),
        "step": weights.step,
        "players": loaded,
        "left_out": [name for name in given if name not in taken],
    }


def with_place(recipe: Recipe, error: CheckpointError) -> RecipeError:
    """A mistake in [start] as one of the recipe, with its line."""
    key = error.key if isinstance(error, StartError) else FROM
    what = error.what if isinstance(error, StartError) else f"{FROM}: {error.what}"
    return RecipeError([Problem(recipe.place(key), what, error.remedy)])


def checkpoint_at(path: Path) -> Path:
    """The folder of the checkpoint that a path names: itself, or the newest of a run. Raises: StartError."""
    if (path / "state.json").is_file():
        return path
    if (path / "run.json").is_file():
        if found := RunRecord(RunDirectory(path)).checkpoints.newest():
            return found
        raise StartError(f"{FROM}: {path} has no checkpoint.", remedy="Name another run.")
    if path.exists():
        what = "is neither a run, nor the folder of a checkpoint, nor a .safetensors file"
        raise StartError(
            f"{FROM}: {path} {what}.", remedy="A checkpoint is RUN/checkpoints/step-00001000, for example."
        )
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    raise StartError(
        f"{FROM}: there is no {path}.", remedy=f"{did_you_mean(path.name, beside)}A path goes from where ganzoo is run."
    )


def read_checkpoint(source: str, folder: Path, start: Start) -> StartWeights:
    """The weights of a checkpoint's players, or of those that are asked for. Raises: CheckpointError."""
    state = read_state(folder)
    if missing := [name for name in ("optimizers", "step") if name not in state]:
        raise StartError(f"{FROM}: {folder / 'state.json'}: it does not say {' and '.join(missing)}.")
    digests, there = state["digests"], list(state["optimizers"])
    for player in start.players or ():
        if player not in there:
            what = f'start.players: {folder} has no player "{player}".'
            remedy = f"{did_you_mean(player, there)}Its players: {', '.join(there)}."
            raise StartError(what, remedy=remedy, key="start.players")
    players = {}
    for player in start.players or there:
        averaged = start.ema and f"{EMA}{player}.safetensors" in digests
        file = f"{EMA if averaged else ''}{player}.safetensors"
        if file not in digests:
            raise StartError(f"{FROM}: {folder / 'state.json'}: it names no {file}.")
        try:
            check_inside(folder / file)
            tensors = read_tensors(folder / file, digests[file])
        except CheckpointError as error:
            raise damaged(folder, error) from error
        players[player] = PlayerWeights(file, tensors, f"sha256:{digests[file]}", averaged)
    return StartWeights(source, folder, state["step"], players)


def damaged(folder: Path, error: CheckpointError) -> StartError:
    """What to do about a damaged file: to take another checkpoint of the same run, where there is one."""
    others = [each for each in checkpoints_of(folder.parent) if each != folder]
    remedy = f"Name an older checkpoint: {others[-1]}." if others else "Name another run or checkpoint."
    return StartError(f"{FROM}: {error.what}", remedy=remedy)


def read_file(source: str, path: Path) -> StartWeights:
    """The weights of one file, verified where it lies in a checkpoint. Raises: CheckpointError."""
    if not path.is_file():
        checkpoint_at(path)
        raise StartError(f"{FROM}: {path} is no file.")
    inside = (path.parent / "state.json").is_file()
    state = read_state(path.parent) if inside else {"digests": {}}
    tensors = read_tensors(path, state["digests"].get(path.name))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    weights = PlayerWeights(path.name, tensors, f"sha256:{digest}", averaged=path.name.startswith(EMA))
    return StartWeights(source, path, state.get("step"), {}, weights)


def of_players(
    file: PlayerWeights, named: Sequence[str] | None, players: Mapping[str, nn.Module]
) -> dict[str, PlayerWeights]:
    """A lone file's weights by player: by the player's name that every tensor's name begins with, or all of the one
    player that is named, or of the one that the file is called after.

    named: start.players; players: the game's. Raises: StartError where nothing says whose they are.
    """
    if not file.tensors:
        raise StartError(f"{FROM}: {file.file} holds no tensors.")
    owners = {name.partition(".")[0] for name in file.tensors}
    if owners <= set(players):
        wanted = named or tuple(sorted(owners))
        if missing := [player for player in wanted if player not in owners]:
            what = f'start.players: {file.file} has no player "{missing[0]}".'
            raise StartError(what, remedy=f"Its players: {', '.join(sorted(owners))}.", key="start.players")
        return {player: only(file, player) for player in wanted}
    if named and len(named) == 1:
        return {named[0]: file}
    if (called := file.file.removesuffix(".safetensors").removeprefix(EMA)) in (named or players):
        return {called: file}
    what = f"{FROM}: nothing says whose weights {file.file} holds."
    raise StartError(what, remedy=f'Write players = ["{next(iter(players))}"]; the game has {", ".join(players)}.')


def only(file: PlayerWeights, player: str) -> PlayerWeights:
    """One player's part of a file whose tensors' names begin with the player's."""
    mine = {
        name.removeprefix(f"{player}."): tensor
        for name, tensor in file.tensors.items()
        if name.startswith(f"{player}.")
    }
    return PlayerWeights(file.file, mine, file.digest, file.averaged)


def load_player(
    name: str, weights: PlayerWeights, module: nn.Module, taken: Mapping[str, PlayerWeights]
) -> dict[str, Any]:
    """Copies into a player what fits it, and returns what run.json says of that. Raises: StartError where nothing does.

    taken: the weights of all players, for advice.
    """
    mine, given = module.state_dict(), weights.tensors
    fits = [key for key in mine if key in given and given[key].shape == mine[key].shape]
    if not {key for key, _ in module.named_parameters(remove_duplicate=False)}.intersection(fits):
        others = [other for other in taken if other != name]
        advice = f"Leave it out: players = {format_value(others)}." if others else ""
        what = f"{FROM}: no weight of {weights.file} fits the player {name}: names or shapes are others."
        raise StartError(what, remedy=advice or "Choose the networks and options that the weights were trained with.")
    with torch.no_grad():
        module.load_state_dict({**mine, **{key: given[key] for key in fits}})
    other_shape = {key: [list(given[key].shape), list(mine[key].shape)] for key in mine if key in given}
    return {
        "file": weights.file,
        "averaged": weights.averaged,
        "digest": weights.digest,
        "loaded": len(fits),
        "other_shape": {key: shapes for key, shapes in other_shape.items() if key not in fits},
        "not_given": [key for key in mine if key not in given],
        "left_out": [key for key in given if key not in mine],
    }
