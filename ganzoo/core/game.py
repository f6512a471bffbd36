"""The idea of ganzoo: a game is the paper's algorithm box, written as a generator of moves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn

from ganzoo.core.conditions import conditioned
from ganzoo.core.data import Batch, DatasetInfo, Shape
from ganzoo.core.interfaces import Augmentation, Discriminator, Generator, Loss, Regularizer, Translator
from ganzoo.core.latents import walk_latents
from ganzoo.errors import GanzooError

Draw = Callable[[], Batch]
"""Draws the next batch of real data, on the training device; see `ganzoo.Batch`."""


@dataclass(frozen=True, slots=True)
class Move:
    """One player's step. The engine updates that player before it asks the game for the next move.

    player: its name in `Game.players()`; loss: a scalar to minimise; metrics: scalars to log, as detached tensors
    (they stay on the device and are averaged over the steps between two rows of metrics.jsonl).
    """

    player: str
    loss: Tensor
    metrics: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlayerRole:
    """What a player is in its game, for those who examine how its training goes.

    role: a critic is a discriminator; losses: how many adversarial losses of [loss] its loss is the sum of (2 where
    two discriminators are one player); real, fake: the names under which a discriminator's moves log D(x) and D(G(z)),
    the mean of sigmoid(score) for real and for generated samples.
    """

    role: Literal["generator", "discriminator"]
    losses: int = 1
    real: str = "d_real"
    fake: str = "d_fake"


ROLES: Mapping[str, PlayerRole] = {
    "generator": PlayerRole("generator"),
    "discriminator": PlayerRole("discriminator"),
    "critic": PlayerRole("discriminator"),
}
"""What players of these names are, where their game does not say."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Samples to be drawn as one picture.

    samples: (n, *sample_shape), as networks make them; columns: how many stand in a row of a grid (None: as many as
    rows), so that samples which belong together, one after the other, stay side by side.
    """

    samples: Tensor
    columns: int | None = None


def as_preview(made: Tensor | Preview) -> Preview:
    """What a game's `preview` gives for one picture, in full."""
    return made if isinstance(made, Preview) else Preview(made)


class Parts(Protocol):
    """Builders of what the recipe names, handed to a game's constructor.

    Each call builds a new one from the recipe's options, so that a game can ask for two of each; keyword arguments
    override options (and what is filled in: `sample_shape`, `input_shape`, `n_classes`, shapes of conditions).
    """

    @property
    def info(self) -> DatasetInfo:
        """What is known of the data."""

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """What networks see by each key of a batch, without the batch: {"real": (1, 28, 28), "label": ()}."""

    def generator(self, **options: Any) -> Generator:
        """The recipe's [generator], which makes samples from latents."""

    def translator(self, **options: Any) -> Translator:
        """The recipe's [generator], where the game wants one that makes samples from samples: by default from `a` to
        `b`; for the other way give `sample_shape=parts.shapes["a"], input_shape=parts.shapes["b"]`."""

    def discriminator(self, **options: Any) -> Discriminator: ...

    def loss(self, **options: Any) -> Loss: ...

    def regularizers(self) -> tuple[Regularizer, ...]: ...

    def augmentations(self) -> tuple[Augmentation, ...]: ...


class Game(nn.Module, ABC):
    """The players and how they play.

    Its constructor takes `parts: Parts` first and its own options as keyword parameters. It is a module, so what must
    survive a resume is a registered module or buffer.
    """

    needs: tuple[str, ...] = ("real",)
    """The keys of a batch that `play` and `preview` read: a batch has these and no others. Checked against what
    the data set gives before training; a game whose networks decide sets `self.needs` in its constructor."""

    conditions: tuple[str, ...] = ()
    """The keys that `sample` may be given values for: what samples are conditioned on."""

    directions: ClassVar[tuple[str, ...]] = ()
    """The translations that the game learns, each by the keys that it goes from and to: ("a2b", "b2a"). None for a game
    that makes its samples from latents."""

    @abstractmethod
    def players(self) -> Mapping[str, nn.Module]:
        """Player's name -> its module (several networks optimised together: an nn.ModuleDict). One optimizer each."""

    def roles(self) -> Mapping[str, PlayerRole]:
        """Player's name -> its role. A player that is neither generator nor discriminator (an encoder) has none.

        By default players named generator, discriminator and critic are what their names say; a game whose players have
        other names says what they are, or its training cannot be examined (`ganzoo doctor`).
        """
        return {name: ROLES[name] for name in self.players() if name in ROLES}

    @abstractmethod
    def play(self, draw: Draw) -> Iterator[Move]:
        """One round, the step of training: yields the moves in order.

        A move's loss is computed after the `yield` before it, or it would see weights one move old.
        """

    def sample(self, n: int, conditions: Batch | None = None) -> Tensor:
        """n generated samples (n, *sample_shape), without gradients, from fresh latents: what a metric wants.

        conditions: values (n, ...) for every key of `self.conditions`; the caller draws them from the data's own
        distribution where nobody asks for any. Keyword parameters after it are options of sampling, which users set:
        `ganzoo sample --option truncation=0.7`. Every game that makes samples from latents implements it.
        Raises: GanzooError in one that does not.
        """
        raise GanzooError(f"{type(self).__name__} makes no samples from latents.")

    def walk(
        self, n: int, conditions: Batch | None = None, *, stops: int, frames: int, closed: bool = False
    ) -> Iterator[Tensor]:
        """A way through the latent space: n samples (n, *sample_shape) for each of its points, without gradients.

        It goes through `stops` random latents, with `frames` points from one to the next. closed: it goes on from the
        last to the first; otherwise its last point is the last of them. conditions: as `sample` takes them, the same
        all the way. By default it is the latent space of the game's one generator, whose samples are the game's.
        Raises: GanzooError in a game that has none, or several.
        """
        generator = the_generator(self)
        for latents in walk_latents(generator.latents, n, stops=stops, frames=frames, closed=closed):
            with torch.no_grad():
                samples: Tensor = conditioned(generator, latents, conditions or {})
            yield samples  # out here, or whoever iterates would have no gradients either

    def translate(self, samples: Tensor, direction: str) -> Tensor:
        """Samples (n, *shape) of one domain -> the same in the other, without gradients.

        direction: one of `directions`. A game with directions implements it; one without raises GanzooError.
        """
        raise GanzooError(f"{type(self).__name__} does not translate.")

    @abstractmethod
    def preview(self, batch: Batch) -> Mapping[str, Tensor | Preview]:
        """What a person wants to see: a picture's name -> samples (n, *sample_shape), without gradients.

        batch: the same n real examples every time. The engine sets the same random seed before every call, so latents
        drawn here are the same in every picture of a run.
        """


def the_generator(game: Game) -> Generator:
    """The one generator of a game, wherever it keeps it. Raises: GanzooError where there is none, or several."""
    found = [module for module in game.modules() if isinstance(module, Generator)]
    if len(found) != 1:
        raise GanzooError(f"{type(game).__name__} has {len(found) or 'no'} generators with latents.")
    return found[0]


def makes_samples(game: Game) -> bool:
    """Whether the game makes samples from latents."""
    return type(game).sample is not Game.sample
