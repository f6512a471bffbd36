"""What a runner is: it plays a training's rounds, one or several at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, ClassVar

from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from ganzoo.training.state import Training


class CannotPlay(GanzooError):
    """A runner cannot play this game, here."""


class Runner(ABC):
    """Plays rounds: learning rates for each, its moves and updates, the averages after it.

    reason: why this runner and no other, in words, for people. A runner may be changed between any two rounds: whatever
    a later round depends on is the training's and never a runner's.
    """

    name: ClassVar[str]
    """As `[train] runner` names it."""

    def __init__(self, training: Training, reason: str) -> None:
        self.training = training
        self.reason = reason

    @abstractmethod
    def advance(self, most: int) -> None:
        """Plays at least one round and at most `most`, and counts them in the training's `step`.

        Raises: Interrupted where none could be played because somebody asks to stop.
        """

    @property
    def met(self) -> list[str]:
        """What the runner of a resumed run has to know of this one, if it shall play the very same rounds: nothing."""
        return []

    def aside(self) -> AbstractContextManager[object]:
        """A context for what is no round: grids, scores."""
        return nullcontext()
