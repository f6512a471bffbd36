"""The runner that every other is measured against: operation by operation, as the game's code says."""

from __future__ import annotations

from ganzoo.engine.runners.runner import Runner
from ganzoo.loop import play_round


class Eager(Runner):
    """Plays a round at a time. It can play everything."""

    name = "eager"

    def advance(self, most: int) -> None:
        """One round."""
        training = self.training
        training.follow_schedules()
        play_round(training.game, training.data, training.players, training.means, training.autocast)
        training.step += 1
        if training.averages:
            training.averages.update(training.step)
