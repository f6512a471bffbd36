"""The idea of ganzoo: a game is the paper's algorithm box, written as a generator of moves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

from ganzoo.interfaces import Batch, Discriminator, Generator, Loss, Regularizer

Draw = Callable[[], Batch]
"""Draws the next batch of real data, on the training device; see `ganzoo.interfaces.Batch`."""


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

    Each call builds a new one from the recipe's options, so that CycleGAN can ask for two of each; keyword arguments
    override options (and the filled-in `sample_shape`, `n_classes`).
    """

    def generator(self, **options: Any) -> Generator: ...

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

    @abstractmethod
    def players(self) -> Mapping[str, nn.Module]:
        """Player's name -> its module (several networks optimised together: an nn.ModuleDict). One optimizer each."""

    @abstractmethod
    def play(self, draw: Draw) -> Iterator[Move]:
        """One round, the step of training: yields the moves in order.

        A move's loss is computed after the `yield` before it, or it would see weights one move old.
        """

    @abstractmethod
    def sample(self, n: int, labels: Tensor | None = None) -> Tensor:
        """n generated samples (n, *sample_shape), without gradients, from fresh latents: what a metric wants."""

    @abstractmethod
    def preview(self, batch: Batch) -> Mapping[str, Tensor]:
        """What a person wants to see: a grid's name -> pictures (n, *sample_shape), without gradients.

        batch: the same n real examples every time. The engine sets the same random seed before every call, so latents
        drawn here are the same in every grid of a run.
        """
