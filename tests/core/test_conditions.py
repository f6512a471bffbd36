"""What networks are conditioned on, and who must know it: names of forward's parameters, keys of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo.core.conditions import conditioned, conditions_of, given
from ganzoo.core.data import Batch, DatasetInfo, Field, Shape
from ganzoo.core.game import as_preview
from ganzoo.core.interfaces import Augmentation, Discriminator, Generator, Loss
from ganzoo.core.losses import NonSaturating
from ganzoo.core.regularizers import GradientPenalty
from ganzoo.core.two_player import TwoPlayer
from ganzoo.errors import OptionError


class Plain(Generator):
    latent_dim = 3

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, latents: Tensor) -> Tensor:
        samples: Tensor = self.layer(latents)
        return samples


class Labelled(Plain):
    """Remembers the labels that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[int]] = []

    def forward(self, latents: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]
        self.asked.append(label.tolist())
        return super().forward(latents) + label.unsqueeze(1)


class Scores(Discriminator):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, samples: Tensor) -> Tensor:
        scores: Tensor = self.layer(samples).squeeze(1)
        return scores


class LabelledScores(Scores):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[int]] = []

    def forward(self, samples: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]
        assert len(label) == len(samples)
        self.asked.append(label.tolist())
        return super().forward(samples) * (1 + label)


class PerSample(LabelledScores):
    per_sample = True


class Marked(Augmentation):
    """Writes the label into the samples."""

    def forward(self, samples: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]
        return samples + label.unsqueeze(1)


class Optional(Scores):
    """A network for which it is an option."""

    def __init__(self, *, conditional: bool) -> None:
        super().__init__()
        self.conditions = ("label",) if conditional else ()

    def forward(self, samples: Tensor, label: Tensor | None = None) -> Tensor:
        scores = super().forward(samples)
        return scores if label is None else scores + label


class Parts:
    """Parts that were made beforehand, for data of three classes."""

    info = DatasetInfo(fields={"real": Field((2,), "float32"), "label": Field.label("abc")}, size=6, kind="point")
    shapes: Mapping[str, Shape] = {"real": (2,), "label": ()}

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        augmentations: tuple[Augmentation, ...] = (),
        regularizers: tuple[Any, ...] = (),
    ) -> None:
        self.made = (generator, discriminator)
        self.several = (augmentations, regularizers)

    def generator(self, **options: Any) -> Generator:
        return self.made[0]

    def translator(self, **options: Any) -> Any:
        raise NotImplementedError

    def discriminator(self, **options: Any) -> Discriminator:
        return self.made[1]

    def loss(self, **options: Any) -> Loss:
        return NonSaturating()

    def regularizers(self) -> tuple[Any, ...]:
        return self.several[1]

    def augmentations(self) -> tuple[Augmentation, ...]:
        return self.several[0]


def batch(n: int = 6) -> Batch:
    return {"real": torch.zeros(n, 2), "label": torch.arange(n) % 3}


def test_conditions_are_the_names_of_forwards_further_parameters_or_what_the_network_says() -> None:
    assert conditions_of(Plain()) == ()
    assert conditions_of(Labelled()) == ("label",)
    assert conditions_of(Optional(conditional=False)) == ()
    assert conditions_of(Optional(conditional=True)) == ("label",)
    assert conditions_of(nn.Linear(2, 2)) == ()


def test_a_network_is_given_its_own_conditions_and_no_others() -> None:
    samples, scores = torch.randn(6, 2), Optional(conditional=False)
    assert torch.equal(conditioned(scores, samples, batch()), scores(samples))
    labelled = LabelledScores()
    assert torch.equal(given(labelled, batch())(samples), labelled(samples, batch()["label"]))
    assert given(scores, batch()) is scores


@pytest.mark.parametrize("discriminator", [LabelledScores, PerSample])
def test_both_players_get_the_labels_of_the_batch(discriminator: type[LabelledScores]) -> None:
    game = TwoPlayer(Parts(Labelled(), discriminator()), n_critic=2)
    assert game.needs == ("real", "label")
    assert game.conditions == ("label",)
    for move in game.play(batch):
        move.loss.backward()
    labels = [0, 1, 2, 0, 1, 2]
    assert game.generator.asked == [labels] * 3
    flat = [label for asked in game.discriminator.asked for label in asked]
    assert flat == labels * 5  # two moves on both kinds of samples, and the generator's


def test_a_penalty_is_on_the_scores_for_the_labels_of_the_batch() -> None:
    torch.manual_seed(0)
    game = TwoPlayer(Parts(Labelled(), LabelledScores(), regularizers=(GradientPenalty(weight=1.0),)))
    move = next(game.play(batch))
    without = TwoPlayer(Parts(game.generator, game.discriminator))
    torch.manual_seed(1)
    with_penalty = next(game.play(batch)).loss
    torch.manual_seed(1)
    alone = next(without.play(batch)).loss
    slopes = game.discriminator.layer.weight.norm() * (1 + batch()["label"])
    torch.testing.assert_close(with_penalty - alone, (slopes - 1).square().mean())
    assert move.player == "discriminator"


def test_a_preview_has_the_classes_in_turn_and_samples_have_what_is_asked_for() -> None:
    game = TwoPlayer(Parts(Labelled(), LabelledScores()))
    shown = as_preview(game.preview({**batch(8), "label": torch.zeros(8, dtype=torch.int64)})["samples"])
    assert (len(shown.samples), shown.columns) == (6, 3)
    game.sample(4, {"label": torch.tensor([2, 2, 0, 1])}, truncation=0.5)
    assert game.generator.asked == [[0, 1, 2, 0, 1, 2], [2, 2, 0, 1]]


@pytest.mark.parametrize(
    ("generator", "discriminator", "said"),
    [
        (Labelled, Scores, "the generator is conditioned on label and the discriminator is not"),
        (Plain, LabelledScores, "the discriminator is conditioned on label and the generator is not"),
    ],
)
def test_a_condition_that_only_one_player_knows_is_refused(
    generator: type[Generator], discriminator: type[Discriminator], said: str
) -> None:
    with pytest.raises(OptionError, match=said) as refused:
        TwoPlayer(Parts(generator(), discriminator()))
    assert "Condition both or neither" in refused.value.remedy


def test_an_augmentation_may_show_the_discriminator_what_it_is_not_told() -> None:
    """As where what is measured depends on the condition, and what is made does not (arXiv:1902.09599)."""
    for generator, discriminator in ((Labelled(), Scores()), (Plain(), LabelledScores())):
        game = TwoPlayer(Parts(generator, discriminator, augmentations=(Marked(),)))
        assert game.needs == ("real", "label")
        assert [move.player for move in game.play(batch)] == ["discriminator", "generator"]


def test_a_game_derived_from_it_may_teach_a_condition_in_another_way() -> None:
    class AuxiliaryClassifier(TwoPlayer):
        """As of Odena et al. (2017, arXiv:1610.09585): the discriminator names the class, and is not told it."""

    assert AuxiliaryClassifier(Parts(Labelled(), Scores())).conditions == ("label",)
