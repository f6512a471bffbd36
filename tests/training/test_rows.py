"""What a row says of a step, a checkpoint of the same step says too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from torch import Tensor

from ganzoo.core.loop import Player
from ganzoo.training.state import Training


def test_a_gradients_norm_is_read_once_for_a_row_and_a_checkpoint_of_one_step(
    points: Path, training_of: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = training_of(points)
    names = {id(player): f"grad/{name}" for name, player in training.players.items()}
    read: Counter[str] = Counter()
    measure = Player.gradient_norm

    def counted(self: Player) -> Tensor | None:
        read[names[id(self)]] += 1
        return measure(self)

    monkeypatch.setattr(Player, "gradient_norm", counted)
    for step in (1, 2):
        training.advance()
        row = training.row()
        norms = training.checkpoint().state["gradient_norms"]
        assert read == dict.fromkeys(norms, step)
        assert norms == {name: row[name] for name in norms}
        assert set(norms) == {"grad/generator", "grad/discriminator"}
    again = training_of(points)
    again.restore(training.checkpoint(), "here")
    assert again.gradient_norms() == norms
