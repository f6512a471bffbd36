"""The reference runner: operation by operation, as the game's code is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo.core.game import Game
from ganzoo.core.loop import play_round
from ganzoo.training.runners.runner import Runner

if TYPE_CHECKING:
    from ganzoo.training.state import Training


class EagerRunner(Runner):
    """Plays one round at a time, without compilation or capture; supports every game."""

    name = "eager"

    def advance(self, max_rounds: int) -> None:
        """One round."""
        training_step(self.training, self.training.game)


def training_step(training: Training, game: Game) -> None:
    """One step: sets the learning rates, plays a round, updates the EMA. game: the training's, or a wrapper of it."""
    training.follow_schedules()
    play_round(game, training.data, training.players, training.means, training.autocast)
    training.step += 1
    if training.averages:
        training.averages.update(training.step)
