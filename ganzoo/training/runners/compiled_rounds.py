"""Whole rounds compiled for a CPU: networks, losses, gradients and penalties as one graph between optimizer steps."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from ganzoo.training.runners.cuda_graph_rounds import CapturedRoundsRunner, Phase
from ganzoo.training.runners.tracing import CompileFunction, TracedGraphCapture, compile_with_inductor

if TYPE_CHECKING:
    from ganzoo.training.state import Training


class CompiledRoundsRunner(CapturedRoundsRunner):
    """Plays one compiled round at a time.

    The first round of each phase is played eagerly, and the second is compiled. The phases played so far are saved
    with the checkpoint, so that a resumed run compiles the same rounds as an uninterrupted one.
    """

    name = "compile"
    max_rounds_per_graph = 1

    def __init__(
        self, training: Training, reason: str, compile_function: CompileFunction = compile_with_inductor
    ) -> None:
        super().__init__(training, reason, TracedGraphCapture(training, compile_function))
        self.phase_digests = set(training.played_phases)

    def play_uncaptured(self) -> None:
        """One eager round."""
        phase = self.phase()
        super().play_uncaptured()
        self.phase_digests.add(phase_digest(phase))

    def phase(self) -> Phase:
        """The phase of the next round: of the position in the EMA interval only whether an update is due matters."""
        extra, since = super().phase()
        every = self.training.averages.every if self.training.averages else 0
        return extra, int(since == every - 1)

    def can_capture(self, phase: Phase, rounds: int) -> bool:
        """Whether a round of that phase was played before."""
        return phase_digest(phase) in self.phase_digests

    @property
    def played_phases(self) -> list[str]:
        """Digests of the phases of the rounds played so far, sorted."""
        return sorted(self.phase_digests)


def phase_digest(phase: Phase) -> str:
    """A phase as 16 hexadecimal digits."""
    return blake2b(repr(phase).encode(), digest_size=8).hexdigest()
