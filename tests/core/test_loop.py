"""The loop updates the player that moved, before the next one moves, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import Tensor, nn

from ganzoo.core import optimizers
from ganzoo.core.data import Batch
from ganzoo.core.game import Draw, Game, Move
from ganzoo.core.interfaces import Schedule
from ganzoo.core.loop import Means, Player, play_round

NO_AUTOCAST = torch.autocast("cpu", enabled=False)


class Duel(Game):
    """Two weights whose losses read each other: a move computed too early would see an old weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        for network in (self.first, self.second):
            nn.init.ones_(network.weight)
        self.seen: list[float] = []

    def players(self) -> Mapping[str, nn.Module]:
        return {"first": self.first, "second": self.second}

    def play(self, draw: Draw) -> Iterator[Move]:
        real = draw()["real"]
        yield Move("first", (self.first(real) * self.second(real)).sum(), {"before": self.first.weight.detach().sum()})
        self.seen.append(self.first.weight.item())
        yield Move("second", (self.first(real) * self.second(real)).sum())

    def sample(self, n: int, labels: Tensor | None = None) -> Tensor:
        raise AssertionError("nobody asks")

    def preview(self, batch: Batch) -> Mapping[str, Tensor]:
        raise AssertionError("nobody asks")


def draw() -> Batch:
    return {"real": torch.ones(1, 1)}


def sgd(game: Duel, schedule: Schedule | None = None) -> dict[str, Player]:
    return {
        name: Player(module, torch.optim.SGD(module.parameters(), lr=0.1), schedule)
        for name, module in game.players().items()
    }


def test_each_move_sees_the_weights_after_the_move_before() -> None:
    game = Duel()
    play_round(game, draw, sgd(game), Means(), NO_AUTOCAST)
    # first: 1 - 0.1 * second = 0.9; second: 1 - 0.1 * 0.9 = 0.91, which an old first would have made 0.9.
    assert game.seen == [pytest.approx(0.9)]
    assert game.first.weight.item() == pytest.approx(0.9)
    assert game.second.weight.item() == pytest.approx(0.91)


def test_players_that_stand_still_get_no_gradient() -> None:
    game = Duel()
    moves = game.play(draw)
    move = next(moves)
    players = sgd(game)
    move.loss.backward(inputs=players["first"].parameters)
    assert game.first.weight.grad is not None
    assert game.second.weight.grad is None


def test_means_are_over_the_moves_of_the_window() -> None:
    game, means = Duel(), Means()
    players = sgd(game)
    play_round(game, draw, players, means, NO_AUTOCAST)
    play_round(game, draw, players, means, NO_AUTOCAST)
    values = means.read()
    assert values["before"] == pytest.approx((1.0 + 0.9) / 2)
    assert set(values) == {"loss/first", "loss/second", "before"}
    means.clear()
    assert means.read() == {}


def test_logged_values_are_copies_and_not_views_of_what_changes() -> None:
    means, value = Means(), torch.tensor(1.0)
    means.add(Move("first", value))
    value.fill_(9.0)
    assert means.read() == {"loss/first": 1.0}


def test_the_learning_rate_follows_its_schedule() -> None:
    class Halving(Schedule):
        def __call__(self, progress: float) -> float:
            return 1.0 - progress / 2

    game = Duel()
    player = sgd(game, Halving())["first"]
    rates = []
    for progress in (0.0, 0.5, 1.0):
        player.follow_schedule(progress)
        rates.append(player.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1, 0.075, 0.05])


def test_the_norm_of_a_gradient_is_that_of_the_last_move() -> None:
    game = Duel()
    players = sgd(game)
    assert players["first"].gradient_norm() is None
    play_round(game, draw, players, Means(), NO_AUTOCAST)
    # the gradient of first * second in the one is the other as it was at that move: 1, and then 0.9
    assert {name: player.gradient_norm() for name, player in players.items()} == {
        "first": pytest.approx(1.0),
        "second": pytest.approx(0.9),
    }


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adam", {"weight_decay": 0.1}),
        ("adamw", {}),
        ("rmsprop", {"momentum": 0.5, "weight_decay": 0.1}),
        ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ],
)
def test_an_optimizer_leaves_the_gradient_as_it_was(name: str, options: dict[str, float]) -> None:
    """The norm is read after the step: an optimizer that works in place of the gradient would be read in its stead."""
    weights = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = getattr(optimizers, name)([weights], lr=0.1, **options)
    for _ in range(2):
        weights.grad = torch.tensor([0.6, 0.8])
        optimizer.step()
        assert torch.equal(weights.grad, torch.tensor([0.6, 0.8]))
