"""The idea of ganzoo: a game is the paper's algorithm box, written as a generator of moves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from ganzoo.core.interfaces import Batch, Discriminator, Generator, Loss, Regularizer, Shape, Translator
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


class Parts(Protocol):
    """Builders of what the recipe names, handed to a game's constructor.

    Each call builds a new one from the recipe's options, so that a game can ask for two of each; keyword arguments
    override options (and the filled-in `sample_shape`, `n_classes`, `input_shape`).
    """

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """What the samples of a batch look like, by key and without the batch: {"image": (1, 28, 28)}, or
        {"a": (1, 28, 28), "b": (3, 28, 28)}."""

    def generator(self, **options: Any) -> Generator:
        """The recipe's [generator], which makes samples from latents."""

    def translator(self, **options: Any) -> Translator:
        """The recipe's [generator], where the game wants one that makes samples from samples: by default from `a` to
        `b`; for the other way give `sample_shape=parts.shapes["a"], input_shape=parts.shapes["b"]`."""

    def discriminator(self, **options: Any) -> Discriminator: ...

    def loss(self, **options: Any) -> Loss: ...

    def regularizers(self) -> tuple[Regularizer, ...]: ...


class Game(nn.Module, ABC):
    """The players and how they play.

    Its constructor takes `parts: Parts` first and its own options as keyword parameters. It is a module, so what must
    survive a resume is a registered module or buffer.
    """

    needs: ClassVar[tuple[str, ...]] = ("image",)
    """The keys of a batch that `play` reads; checked against what the dataset gives before anything is built."""

    directions: ClassVar[tuple[str, ...]] = ()
    """The translations that the game learns, each by the keys that it goes from and to: ("a2b", "b2a"). None for a game
    that makes its samples from latents."""

    @abstractmethod
    def players(self) -> Mapping[str, nn.Module]:
        """Player's name -> its module (several networks optimised together: an nn.ModuleDict). One optimizer each."""

    @abstractmethod
    def play(self, draw: Draw) -> Iterator[Move]:
        """One round, the step of training: yields the moves in order.

        A move's loss is computed after the `yield` before it, or it would see weights one move old.
        """

    def sample(self, n: int, labels: Tensor | None = None) -> Tensor:
        """n generated samples (n, *sample_shape), without gradients, from fresh latents: what a metric wants.

        Every game that makes samples from latents implements it. Raises: GanzooError in one that does not.
        """
        raise GanzooError(f"{type(self).__name__} makes no samples from latents.")

    def translate(self, images: Tensor, direction: str) -> Tensor:
        """Images (n, C, H, W) in [-1, 1] of one domain -> the same in the other, without gradients.

        direction: one of `directions`. A game with directions implements it; one without raises GanzooError.
        """
        raise GanzooError(f"{type(self).__name__} does not translate.")

    @abstractmethod
    def preview(self, batch: Batch) -> Mapping[str, Tensor]:
        """What a person wants to see: a grid's name -> pictures (n, *sample_shape), without gradients.

        Pictures that belong together, k for each example, are (n, k, *sample_shape): they stay side by side.
        batch: the same n real examples every time. The engine sets the same random seed before every call, so latents
        drawn here are the same in every grid of a run.
        """
