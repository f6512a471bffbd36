"""Rounds compiled as a whole, on a CPU: networks, losses, gradients and penalties in one piece between two updates."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from ganzoo.training.runners.cuda_graph_rounds import Captured, Phase
from ganzoo.training.runners.tracing import Compile, TracedCapture, by_inductor

if TYPE_CHECKING:
    from ganzoo.training.state import Training


class CompiledRounds(Captured):
    """Plays a round at a time, compiled.

    A round is played as it comes once, and compiled when another like it is due. A run that is resumed knows from its
    checkpoint which were, and plays what it would have played had it not been stopped.
    """

    name = "compile"
    most = 1

    def __init__(self, training: Training, reason: str, compiles: Compile = by_inductor) -> None:
        super().__init__(training, reason, TracedCapture(training, compiles))
        self.played = set(training.met)

    def play(self) -> None:
        """One round as it comes."""
        phase = self.phase()
        super().play()
        self.played.add(told(phase))

    def phase(self) -> Phase:
        """The phase that the next round begins in: of a single round only whether averages are due after it matters."""
        extra, since = super().phase()
        every = self.training.averages.every if self.training.averages else 0
        return extra, int(since == every - 1)

    def known(self, phase: Phase, rounds: int) -> bool:
        """Whether a round like that was played before."""
        return told(phase) in self.played

    @property
    def met(self) -> list[str]:
        """The phases of the rounds that were played."""
        return sorted(self.played)


def told(phase: Phase) -> str:
    """A phase in a few letters."""
    return blake2b(repr(phase).encode(), digest_size=8).hexdigest()
