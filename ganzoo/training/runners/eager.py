"""The runner that every other is measured against: operation by operation, as the game's code says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo.core.game import Game
from ganzoo.core.loop import play_round
from ganzoo.training.runners.runner import Runner

if TYPE_CHECKING:
    from ganzoo.training.state import Training


class Eager(Runner):
    """Plays a round at a time. It can play everything."""

    name = "eager"

    def advance(self, most: int) -> None:
        """One round."""
        one_round(self.training, self.training.game)


def one_round(training: Training, game: Game) -> None:
    """The learning rates for a round, the round, the averages after it. game: the training's, or what stands for it."""
    training.follow_schedules()
    play_round(game, training.data, training.players, training.means, training.autocast)
    training.step += 1
    if training.averages:
        training.averages.update(training.step)
