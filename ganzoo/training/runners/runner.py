"""The interface of runners, which play the rounds of a training one or several at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, ClassVar

from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from ganzoo.training.state import Training


class UnsupportedByRunner(GanzooError):
    """A runner does not support this game on this device."""


class Runner(ABC):
    """Plays rounds: sets the learning rates, computes the moves with their updates, updates the EMA.

    reason: why this runner was chosen, as text for users. A runner may be replaced between any two rounds: state that
    later rounds depend on belongs to the training, never to a runner.
    """

    name: ClassVar[str]
    """Its name in `[train] runner`."""

    def __init__(self, training: Training, reason: str) -> None:
        self.training = training
        self.reason = reason

    @abstractmethod
    def advance(self, max_rounds: int) -> None:
        """Plays at least one round and at most `max_rounds`, and counts them in the training's `step`.

        Raises: Interrupted if none was played because the run was asked to stop.
        """

    @property
    def played_phases(self) -> list[str]:
        """State that the runner of a resumed run needs to play the same rounds; saved with the checkpoint."""
        return []

    def evaluation_context(self) -> AbstractContextManager[object]:
        """The context for network calls outside of rounds: grids, scores."""
        return nullcontext()
