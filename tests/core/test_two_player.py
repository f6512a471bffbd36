"""The two-player game is Algorithm 1: who moves, on what, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo.core.data import Batch, DatasetInfo, Field
from ganzoo.core.interfaces import Discriminator, Generator, Loss, Regularizer
from ganzoo.core.losses import NonSaturating, Relativistic, Wasserstein
from ganzoo.core.two_player import TwoPlayer


class Line(Generator):
    latent_dim = 3

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.asked: list[Tensor] = []

    def forward(self, latents: Tensor) -> Tensor:
        self.asked.append(latents.detach())
        samples: Tensor = self.layer(latents)
        return samples


class Judge(Discriminator):
    def __init__(self, *, per_sample: bool) -> None:
        super().__init__()
        self.per_sample = per_sample  # type: ignore[misc]
        self.layer = nn.Linear(2, 1)
        self.seen: list[int] = []

    def forward(self, samples: Tensor) -> Tensor:
        self.seen.append(len(samples))
        scores: Tensor = self.layer(samples).squeeze(1)
        return scores


class Recorder(Regularizer):
    """Adds a constant, and writes down when it is asked to constrain."""

    def __init__(self) -> None:
        super().__init__()
        self.constrained = 0

    def penalty(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return torch.tensor(100.0)

    def constrain(self, network: nn.Module) -> None:
        self.constrained += 1


class Made:
    """Parts that were made beforehand."""

    def __init__(self, loss: Loss, *, per_sample: bool = False, regularizers: tuple[Regularizer, ...] = ()) -> None:
        self.made = {"loss": loss, "per_sample": per_sample, "regularizers": regularizers}

    def generator(self, **options: Any) -> Generator:
        return Line()

    def discriminator(self, **options: Any) -> Discriminator:
        return Judge(per_sample=bool(self.made["per_sample"]))

    def loss(self, **options: Any) -> Any:
        return self.made["loss"]

    def regularizers(self) -> Any:
        return self.made["regularizers"]

    def augmentations(self) -> Any:
        return ()

    @property
    def info(self) -> DatasetInfo:
        return DatasetInfo(fields={"real": Field((2,), "float32")}, size=4, kind="point")


class Source:
    def __init__(self) -> None:
        self.draws = 0

    def __call__(self) -> Batch:
        self.draws += 1
        return {"real": torch.full((4, 2), float(self.draws))}


def test_every_critic_move_has_fresh_data_and_latents_and_the_generator_has_its_own() -> None:
    torch.manual_seed(0)
    game, source = TwoPlayer(Made(NonSaturating()), n_critic=3), Source()
    order = [move.player for move in game.play(source)]
    assert order == ["discriminator"] * 3 + ["generator"]
    assert source.draws == 3
    asked = game.generator.asked  # type: ignore[attr-defined]
    assert len(asked) == 4
    assert all(not torch.equal(asked[i], asked[j]) for i in range(4) for j in range(i))


def test_the_generator_stands_outside_of_the_discriminators_graph() -> None:
    game = TwoPlayer(Made(NonSaturating()))
    move = next(game.play(Source()))
    move.loss.backward()
    assert all(parameter.grad is None for parameter in game.generator.parameters())
    assert all(parameter.grad is not None for parameter in game.discriminator.parameters())


def test_one_pass_over_both_gives_the_scores_of_two() -> None:
    torch.manual_seed(0)
    apart, together = TwoPlayer(Made(NonSaturating())), TwoPlayer(Made(NonSaturating(), per_sample=True))
    together.load_state_dict(apart.state_dict())
    real, fake = torch.randn(4, 2), torch.randn(4, 2)
    for one, other in zip(apart.scores(real, fake, {}), together.scores(real, fake, {}), strict=True):
        torch.testing.assert_close(one, other)
    assert apart.discriminator.seen == [4, 4]  # type: ignore[attr-defined]
    assert together.discriminator.seen == [8]  # type: ignore[attr-defined]


def test_real_samples_are_scored_again_only_for_losses_that_compare() -> None:
    for loss, passes in ((NonSaturating(), 3), (Relativistic(), 4)):
        game = TwoPlayer(Made(loss))
        assert len(list(game.play(Source()))) == 2
        assert len(game.discriminator.seen) == passes  # type: ignore[attr-defined]


def test_penalties_join_the_loss_and_constraints_follow_the_step() -> None:
    recorder = Recorder()
    game = TwoPlayer(Made(NonSaturating(), regularizers=(recorder,)))
    moves = game.play(Source())
    assert next(moves).loss.item() > 100.0
    assert recorder.constrained == 0
    next(moves)
    assert recorder.constrained == 1


def test_what_is_shown_of_d_are_probabilities() -> None:
    game = TwoPlayer(Made(NonSaturating()))
    metrics = next(game.play(Source())).metrics
    assert set(metrics) == {"d_real", "d_fake"}
    assert all(0 < value.item() < 1 and not value.requires_grad for value in metrics.values())


def test_what_the_loss_tells_is_logged_beside_them() -> None:
    torch.manual_seed(0)
    game = TwoPlayer(Made(Wasserstein(), regularizers=(Recorder(),)))
    move = next(game.play(Source()))
    assert set(move.metrics) == {"d_real", "d_fake", "wasserstein"}
    assert not move.metrics["wasserstein"].requires_grad
    # Recorder's penalty of 100 is a part of the loss, and none of the distance.
    assert move.loss.item() == pytest.approx(100.0 - move.metrics["wasserstein"].item())


def test_a_loss_does_not_rename_the_probabilities() -> None:
    class Boastful(NonSaturating):
        def metrics(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
            return {"d_real": torch.tensor(2.0), "real_score": real.mean()}

    metrics = next(TwoPlayer(Made(Boastful())).play(Source())).metrics
    assert set(metrics) == {"d_real", "d_fake", "real_score"}
    assert metrics["d_real"] < 1
