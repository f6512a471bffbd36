"""A rehearsed round finds what does not fit, and says it in the recipe's keys, before any data or memory is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor, nn

from ganzoo.core.data import Batch, DatasetInfo, Field
from ganzoo.core.game import Draw, Game, Move, Parts
from ganzoo.core.interfaces import Discriminator, Generator, Loss, Regularizer
from ganzoo.core.two_player import TwoPlayer
from ganzoo.errors import OptionError, RecipeError
from ganzoo.plugins import Entry
from ganzoo.plugins.components import Component
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import DryRun, dry_run
from ganzoo.recipe.model import Choice, Recipe

MNIST = DatasetInfo(fields={"real": Field((1, 28, 28), "uint8"), "label": Field.label(tuple("0123456789"))}, size=100)


class Square(Generator):
    """Makes squares of any size and channels, as an image generator whose size is an option does."""

    def __init__(self, *, size: int = 28, channels: int = 1, latent_dim: int = 4) -> None:
        super().__init__()
        self.latent_dim, self.shape = latent_dim, (channels, size, size)
        self.layer = nn.Linear(latent_dim, channels * size * size)

    def forward(self, latents: Tensor) -> Tensor:
        return self.layer(latents).view(-1, *self.shape)


class Patches(Discriminator):
    """A strided convolution; `fails` says in which way."""

    def __init__(self, *, channels: int = 1, fails: str = "") -> None:
        super().__init__()
        self.fails = fails
        self.body = nn.Sequential(nn.Conv2d(channels, 2, 4, 2), nn.LeakyReLU(), nn.Conv2d(2, 1, 4, 2))

    def forward(self, samples: Tensor) -> Any:
        scores = self.body(samples)
        return {"": scores, "pair": {"scores": scores}, "twice": torch.cat((scores, scores)), "one": scores.mean()}[
            self.fails
        ]


class Peeking(Square):
    """Looks at a number, which the meta device does not have."""

    def forward(self, latents: Tensor) -> Tensor:
        return super().forward(latents) * (1.0 if latents.mean().item() < 100 else 0.0)


class Odd(Loss):
    def __init__(self, *, fails: str = "") -> None:
        self.fails = fails

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        if self.fails == "raises":
            raise ValueError("scores of no use\nand a second line")
        if self.fails == "detached":
            return real.detach().mean()
        return real - fake if self.fails == "vector" else (real - fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return fake.mean()


class Failing(Regularizer):
    def penalty(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor | None:
        raise RuntimeError("no penalty today")


class Picky(Generator):
    def __init__(self, *, width: int = 3, kind: str = "option") -> None:
        raise {
            "option": OptionError("a width of 3 is odd.", remedy="Take an even width."),
            "value": ValueError("width must be even"),
            "key": KeyError("width"),
            "empty": RuntimeError(),
        }[kind]

    def forward(self, latents: Tensor) -> Tensor:
        raise AssertionError("never built")


class Solo(Game):
    """Plays wrongly, in the way that `fails` says."""

    def __init__(self, parts: Parts, *, fails: str = "") -> None:
        super().__init__()
        self.fails = fails
        self.generator = parts.generator()
        self.needs = ("real", "caption") if fails == "caption" else ("real",)  # type: ignore[misc]

    def players(self) -> Mapping[str, nn.Module]:
        if self.fails == "nobody":
            return {}
        return {"generator": self.generator} | ({"idle": nn.ReLU()} if self.fails == "idle" else {})

    def play(self, draw: Draw) -> Iterator[Move]:
        n = 4 if self.fails == "no draw" else len(draw()["real"])
        while True:
            loss = self.generator(self.generator.latents(n)).mean()
            if self.fails == "raises":
                raise KeyError("captions")
            yield Move("generatr" if self.fails == "stranger" else "generator", loss)
            if self.fails != "endless":
                return

    def sample(self, n: int, conditions: Batch | None = None) -> Tensor:
        return self.generator(self.generator.latents(n))

    def preview(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"samples": self.sample(len(batch["real"]))}


HERE = " (tests/recipe/test_dry_run.py, line N, in __init__)"

LOCAL = {kind.__name__: kind for kind in (Square, Patches, Peeking, Odd, Failing, Picky, Solo, TwoPlayer)}


class Local(Component):
    """A component of this file."""

    def load(self) -> Any:
        return LOCAL[self.name]


def choose(kind: type, table: str, /, **options: Any) -> Choice:
    shelf = table.partition(".")[0].partition("[")[0]
    return Choice(table, Entry(Local(shelf, kind.__name__, "here:there"), "plug", "plug", "1"), options)


def recipe(tmp_path: Path, *overrides: str, extra: str = "", **parts: Any) -> Recipe:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "vanilla_mnist"\n[train]\nbatch_size = 8\n' + extra)
    return replace(read_recipe(path, overrides=overrides), **parts)


def solo(tmp_path: Path, fails: str) -> Recipe:
    whole = recipe(tmp_path, game=choose(Solo, "game", fails=fails), generator=choose(Square, "generator"))
    only = {"generator": whole.optimizers["generator"]}
    return replace(whole, discriminator=None, loss=None, optimizers=only)


def problems_of(recipe: Recipe, info: DatasetInfo = MNIST, **more: Any) -> list[str]:
    before = torch.get_rng_state()
    with pytest.raises(RecipeError) as caught:
        dry_run(recipe, info, **more)
    assert torch.equal(torch.get_rng_state(), before)
    assert "Traceback" not in str(caught.value)
    return [without_line(f"{problem.what} {problem.remedy}".strip()) for problem in caught.value.problems]


def without_line(said: str) -> str:
    """The message with N for the line of this file that it names."""
    return re.sub(r"(test_dry_run\.py, line )\d+", r"\1N", said)


def test_a_round_tells_draws_players_parameters_and_what_is_logged(tmp_path: Path) -> None:
    found = dry_run(
        recipe(tmp_path, "generator.hidden=[5]", "generator.latent_dim=3", "discriminator.hidden=[2]"), MNIST
    )
    assert isinstance(found, DryRun)
    assert found.draws_per_round == 1
    assert found.players == ("discriminator", "generator")
    assert found.parameters == {"discriminator": 784 * 2 + 2 + 2 + 1, "generator": 3 * 5 + 5 + 5 * 784 + 784}
    assert found.metrics == ("loss/discriminator", "d_real", "d_fake", "loss/generator")
    assert found.info is MNIST


def test_a_critic_that_moves_five_times_draws_five_batches(tmp_path: Path) -> None:
    assert dry_run(recipe(tmp_path, "game.n_critic=5"), MNIST).draws_per_round == 5


@pytest.mark.parametrize("penalty", ["gradient-penalty", "r1", "r2", "weight-clip"])
@pytest.mark.parametrize("loss", ["minimax", "least-squares", "hinge", "wasserstein", "relativistic"])
def test_every_loss_and_penalty_of_the_engine_can_be_rehearsed(loss: str, penalty: str, tmp_path: Path) -> None:
    extra = f"[loss]\nname = '{loss}'\n[[regularizer]]\nname = '{penalty}'\n"
    assert dry_run(recipe(tmp_path, extra=extra), MNIST).draws_per_round == 1


def test_points_are_rehearsed_as_images_are(tmp_path: Path) -> None:
    points = DatasetInfo(fields={"real": Field((2,), "float32")}, size=100, kind="point")
    assert dry_run(recipe(tmp_path, "generator.output=none"), points).parameters["discriminator"] > 0


def test_random_streams_stay_as_they_were(tmp_path: Path) -> None:
    for generator in (Square, Peeking):
        torch.manual_seed(7)
        dry_run(recipe(tmp_path, generator=choose(generator, "generator")), MNIST)
        after = torch.rand(3)
        torch.manual_seed(7)
        assert torch.equal(after, torch.rand(3))


def test_samples_of_another_shape_than_the_datas_name_the_options_to_set(tmp_path: Path) -> None:
    generator = choose(Square, "generator", size=32, channels=3)
    assert problems_of(recipe(tmp_path, generator=generator)) == [
        "generator makes (3, 32, 32), dataset mnist holds (1, 28, 28): set generator.size or generator.channels."
    ]
    extra = "[dataset]\nname = 'glyphs'\n"
    sizes = "generator.size or generator.channels or dataset.size or dataset.channels"
    assert problems_of(recipe(tmp_path, extra=extra, generator=generator))[0].endswith(
        f"dataset glyphs holds (1, 28, 28): set {sizes}."
    )
    assert "dataset glyphs holds" in problems_of(recipe(tmp_path, generator=generator), dataset="glyphs")[0]


def test_a_layer_that_cannot_take_the_samples_is_named(tmp_path: Path) -> None:
    [message] = problems_of(recipe(tmp_path, discriminator=choose(Patches, "discriminator", channels=3)))
    assert message.startswith(
        'discriminator "Patches" fails at body.0 (Conv2d) on (8, 1, 28, 28), and dataset mnist holds (1, 28, 28): '
    )
    assert message.endswith("Its options: channels = 3.")


def test_a_discriminator_of_patches_is_one(tmp_path: Path) -> None:
    assert dry_run(recipe(tmp_path, discriminator=choose(Patches, "discriminator")), MNIST).draws_per_round == 1


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("pair", "discriminator returns a dict; it should return a tensor, or a list of them."),
        ("twice", "discriminator returns (16, 1, 5, 5) for 8 samples; it should return scores (N,)."),
        ("one", "discriminator returns () for 8 samples; it should return scores (N,)."),
    ],
)
def test_scores_of_a_wrong_shape_are_told(fails: str, said: str, tmp_path: Path) -> None:
    assert problems_of(recipe(tmp_path, discriminator=choose(Patches, "discriminator", fails=fails))) == [said]


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("vector", "the loss of discriminator has the shape (8,); it should be a scalar tensor."),
        ("detached", "the loss of discriminator does not depend on any weights."),
        ("raises", 'loss "Odd" fails on (8,) and (8,), and dataset mnist holds (1, 28, 28): scores of no use '
                   '(tests/recipe/test_dry_run.py, line N, in discriminator). Its options: fails = "raises".'),
    ],
)  # fmt: skip
def test_a_loss_that_cannot_be_minimised_is_told(fails: str, said: str, tmp_path: Path) -> None:
    assert problems_of(recipe(tmp_path, loss=choose(Odd, "loss", fails=fails))) == [said]


def test_a_penalty_that_fails_is_named(tmp_path: Path) -> None:
    extra = "[[regularizer]]\nname = 'weight-clip'\n[[regularizer]]\nname = 'r1'\n"
    whole = recipe(tmp_path, extra=extra)
    broken = replace(whole, regularizers=(whole.regularizers[0], choose(Failing, "regularizer[1]")))
    with pytest.raises(RecipeError) as caught:
        dry_run(broken, MNIST)
    assert caught.value.problems[0].where == f"{tmp_path}/mine.toml:6"
    assert caught.value.problems[0].what.startswith('regularizer[1] "Failing" fails')
    said = without_line(caught.value.problems[0].what)
    assert said.endswith("no penalty today (tests/recipe/test_dry_run.py, line N, in penalty).")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("option", 'generator "Picky" cannot be built: a width of 3 is odd. Take an even width.'),
        (
            "value",
            f'generator "Picky" cannot be built: width must be even{HERE}. Its options: width = 3, kind = "value".',
        ),
        ("key", f'generator "Picky" cannot be built: KeyError \'width\'{HERE}. Its options: width = 3, kind = "key".'),
        ("empty", f'generator "Picky" cannot be built: RuntimeError{HERE}. Its options: width = 3, kind = "empty".'),
    ],
)
def test_a_constructor_that_refuses_is_told_in_its_own_words(kind: str, said: str, tmp_path: Path) -> None:
    whole = recipe(tmp_path, extra="[generator]\nhidden = [3]\n")
    with pytest.raises(RecipeError) as caught:
        dry_run(replace(whole, generator=choose(Picky, "generator", width=3, kind=kind)), MNIST)
    whole_text = str(caught.value).replace("\n  ", " ").replace(f"{tmp_path}/", "")
    assert without_line(whole_text) == f"mine.toml:4: {said}"


def test_all_constructors_that_refuse_are_told_at_once(tmp_path: Path) -> None:
    huge = f"discriminator.hidden=[{2**40}, {2**40}]"
    problems = problems_of(recipe(tmp_path, huge, generator=choose(Picky, "generator")))
    assert [problem.split(" cannot")[0] for problem in problems] == ['generator "Picky"', 'discriminator "mlp"']


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("stranger", 'the game "Solo" moves a player "generatr" that it does not have. Did you mean generator? '
                     "Its players: generator."),
        ("no draw", 'a round of the game "Solo" draws no data, so that epochs cannot be counted.'),
        ("endless", 'a round of the game "Solo" has more than 256 moves. Its options: fails = "endless".'),
        ("caption", 'the game "Solo" needs "caption" of each sample, and dataset mnist holds (1, 28, 28) and gives '
                    "real and label. Choose another dataset."),
        ("nobody", 'the game "Solo" has no players.'),
        ("raises", "a round of the game \"Solo\" fails, and dataset mnist holds (1, 28, 28): KeyError 'captions' "
                   '(tests/recipe/test_dry_run.py, line N, in play). Its options: fails = "raises".'),
    ],
)  # fmt: skip
def test_a_game_that_cannot_be_played_is_told(fails: str, said: str, tmp_path: Path) -> None:
    assert problems_of(solo(tmp_path, fails)) == [said]


def test_a_game_of_one_player_can_be_played(tmp_path: Path) -> None:
    assert dry_run(solo(tmp_path, ""), MNIST).players == ("generator",)


def test_tables_that_the_game_does_not_use_are_told(tmp_path: Path) -> None:
    whole = replace(recipe(tmp_path), game=choose(Solo, "game"))
    assert problems_of(whole) == [
        'optimizer.discriminator: the game "Solo" has no player of that name. Its players: generator.',
        'the game "Solo" does not use [discriminator]. Take it out.',
        'the game "Solo" does not use [loss]. Take it out.',
    ]


def test_tables_for_players_must_be_for_those_of_the_game(tmp_path: Path) -> None:
    extra = "[optimizer.critic]\nname = 'adam'\n[schedule.generatr]\nname = 'cosine'\n[ema]\nplayers = ['gen']\n"
    whole = recipe(tmp_path, extra=extra)
    whole = replace(whole, optimizers={name: c for name, c in whole.optimizers.items() if name != "discriminator"})
    with pytest.raises(RecipeError) as caught:
        dry_run(whole, MNIST)
    assert [str(p).replace("\n  ", " ").replace(f"{tmp_path}/", "") for p in caught.value.problems[:3]] == [
        'mine.toml:4: optimizer.critic: the game "two-player" has no player of that name. '
        "Its players: discriminator, generator.",
        'mine.toml:6: schedule.generatr: the game "two-player" has no player of that name. '
        "Did you mean generator? Its players: discriminator, generator.",
        'mine.toml:9: ema.players: the game "two-player" has no player "gen". '
        "Did you mean generator? Its players: discriminator, generator.",
    ]
    assert caught.value.problems[3].what == (
        'there is no [optimizer.discriminator], and the game "two-player" has that player.'
    )


def test_an_optimizer_that_refuses_is_told_at_its_table(tmp_path: Path) -> None:
    extra = "[optimizer.generator]\nname = 'sgd'\nnesterov = true\n"
    with pytest.raises(RecipeError) as caught:
        dry_run(recipe(tmp_path, extra=extra), MNIST)
    assert str(caught.value).startswith(f'{tmp_path}/mine.toml:4: optimizer.generator "sgd" cannot be built: ')


def test_a_part_that_the_game_needs_and_the_recipe_lacks_is_told(tmp_path: Path) -> None:
    [message] = problems_of(replace(recipe(tmp_path), loss=None))
    assert message.startswith('there is no [loss] table: the game "two-player" needs it')


def test_a_metric_to_stop_by_must_be_logged(tmp_path: Path) -> None:
    extra = "[train.stop]\nmetric = 'fid'\ntarget = 5.0\n"
    [message] = problems_of(recipe(tmp_path, extra=extra))
    assert message == (
        'train.stop.metric: this game logs no "fid". It logs: loss/discriminator, d_real, d_fake, loss/generator.'
    )


@pytest.mark.parametrize(
    "hidden", ["[100000000]", "[1000000, 1000000]", "[10000000000, 10000000000]", "[9000000000000000000]"]
)
def test_networks_that_no_memory_holds_are_refused_without_taking_any(hidden: str, tmp_path: Path) -> None:
    whole = recipe(tmp_path, f"generator.hidden={hidden}")
    before = psutil.Process().memory_info().rss
    [message] = problems_of(whole)
    assert psutil.Process().memory_info().rss - before < 2**28
    assert message.startswith("generator ")
    assert f"hidden = {hidden}" in message


def test_a_batch_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    posters = DatasetInfo(fields={"real": Field((3, 4096, 4096), "uint8")}, size=9)
    [message] = problems_of(
        recipe(tmp_path, "train.batch_size=1048576", "generator.hidden=[1]", "discriminator.hidden=[1]"), posters
    )
    assert message.startswith("a batch is 196,608.0 GiB")
    assert "Lower train.batch_size." in message


def test_what_the_meta_device_cannot_do_is_rehearsed_on_the_cpu(tmp_path: Path) -> None:
    good = recipe(tmp_path, generator=choose(Peeking, "generator"))
    assert dry_run(good, MNIST).draws_per_round == 1
    bad = replace(good, generator=choose(Peeking, "generator", size=32))
    assert problems_of(bad) == ["generator makes (1, 32, 32), dataset mnist holds (1, 28, 28): set generator.size."]
