"""Sampling a game: in chunks, and with options, which are checked like options of a recipe.

The k-th sample of a seed is the same whatever the number of samples. Noise is drawn in whole blocks, conditions come
from streams of their own, and a batch is filled up to a multiple of `FILLED_TO`. The samples then agree to rounding on
any device, and bit for bit where a row of such batches is always computed in the same way. On the CPU that was tried,
only batches of 1, 2 and 3 differ from larger ones, by some 1e-8.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganzoo.core.data import Batch
from ganzoo.core.game import Game
from ganzoo.core.noise import drawn_in_blocks
from ganzoo.core.random_streams import derived, seed_everything
from ganzoo.errors import RunError
from ganzoo.recipe.check import check
from ganzoo.recipe.options import options_of

CHUNK = 500
"""Samples made at once, so that asking for many needs no more memory."""

FILLED_TO = 16
"""Batches are filled up to a multiple of this many samples, of which only those asked for are kept."""

NOT_OPTIONS = ("n", "conditions")
"""Parameters of `sample` that are not options."""


def sampling_options(game: Game, given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options, checked against the signature of the game's `sample`. name: of the game, for messages.

    Raises: RunError, listing all problems.
    """
    owner = f'sampling of the game "{name}"'
    known = options_of(game.sample, owner=owner, without=NOT_OPTIONS)
    checked = check(given, known, key=("option",), place=lambda _: "--option", owner=owner)
    if checked.problems:
        raise RunError("\n".join(map(str, checked.problems)))
    return {key: checked.values[key] for key in given}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A batch of samples to be made.

    n: those asked for; rows: with those that fill the batch up; conditions: (rows, ...) by key, the last one repeated.
    """

    n: int
    rows: int
    conditions: Batch


def chunks_of(n: int, conditions: Batch) -> Iterator[Chunk]:
    """n samples as chunks of at most `CHUNK`. conditions: values (n, ...) by key."""
    for start in range(0, n, CHUNK):
        count = min(CHUNK, n - start)
        rows = min(count + -count % FILLED_TO, CHUNK)
        part = {key: value[start : start + count] for key, value in conditions.items()}
        if rows > count:
            part = {
                key: torch.cat((value, value[-1:].expand(rows - count, *value.shape[1:])))
                for key, value in part.items()
            }
        yield Chunk(count, rows, part)


def sample_in_chunks(
    game: Game, n: int, conditions: Batch, options: Mapping[str, Any] | None = None
) -> Iterator[Tensor]:
    """n samples of the game, in parts (at most `CHUNK`, *sample_shape).

    conditions: values (n, ...) by key, empty where samples have none. options: as `sampling_options` checked them.
    """
    for chunk in chunks_of(n, conditions):
        with drawn_in_blocks(CHUNK):
            made = game.sample(chunk.rows, chunk.conditions or None, **(options or {}))
        yield made[: chunk.n]


def walk_in_chunks(game: Game, n: int, conditions: Batch, *, stops: int, frames: int, closed: bool) -> Iterator[Tensor]:
    """Samples (n, *sample_shape) for each point of a way through the latent space, as `Game.walk` describes it."""
    chunks = list(chunks_of(n, conditions))
    walks = [
        game.walk(chunk.rows, chunk.conditions or None, stops=stops, frames=frames, closed=closed) for chunk in chunks
    ]
    try:
        while True:
            with drawn_in_blocks(CHUNK), torch.no_grad():  # a walk that yields within no_grad() ends it here
                points = [point for walk in walks if (point := next(walk, None)) is not None]
            if not points:
                return
            yield torch.cat([point[: chunk.n] for chunk, point in zip(chunks, points, strict=True)])
    finally:
        with torch.no_grad():
            for walk in walks:
                if isinstance(walk, Generator):
                    walk.close()


def seed_conditions(seed: int) -> None:
    """Starts the random streams at where the conditions of a seed's samples are drawn: not where its latents are, whose
    place must not depend on how many conditions were drawn."""
    seed_everything(derived(seed, *b"conditions"))
