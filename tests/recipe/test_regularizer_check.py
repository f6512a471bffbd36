"""Each regularizer works on its own player's weights, or the recipe is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo.errors import RecipeError
from ganzoo.runs.checkpoint import checkpoints_of, load_checkpoint

Install = Callable[[str, str], None]

PLUGIN = '''
import torch
from torch import nn
from ganzoo import Component, Generator, LazyPenalty, Regularizer, TwoPlayer, hookimpl


@hookimpl
def ganzoo_components():
    names = ("Calm", "Bounded", "Stranger", "Careless", "Confused", "Forgetful", "Conditional")
    shelves = ("regularizer",) * 3 + ("game",) * 3 + ("generator",)
    return [Component(shelf, name.lower(), f"ruled:{name}") for shelf, name in zip(shelves, names, strict=True)]


class Calm(LazyPenalty):
    """Punishes large samples. It calls the network with latents alone, whether it is conditional or not."""

    player = "generator"
    seen = []

    def __init__(self, *, weight: float = 1.0, every: int = 1) -> None:
        super().__init__(weight, every)

    def of(self, network, real, fake):
        made = network(network.latents(len(real)))
        Calm.seen.append((tuple(made.shape), fake.requires_grad))
        return made.square().mean()


class Bounded(Regularizer):
    """Keeps the generator's weights small."""

    player = "generator"
    limit = 0.02

    @torch.no_grad()
    def constrain(self, network):
        for parameter in network.parameters():
            parameter.clamp_(-self.limit, self.limit)


class Stranger(Regularizer):
    player = "encoder"

    def penalty(self, network, real, fake):
        raise AssertionError("never called")


class Careless(TwoPlayer):
    """Hands every regularizer the discriminator, as games did."""

    def penalized(self, loss, player, batch, real, fake):
        if player == "discriminator":
            for rule in self.regularizers:
                penalty = rule.penalty(self.discriminator, real, fake)
                loss = loss if penalty is None else loss + penalty
        return loss


class Confused(TwoPlayer):
    """Applies what the discriminator's regularizers ask for, and forgets the generator's."""

    def rules(self, player):
        return super().rules(player) if player == "discriminator" else ()


class Forgetful(TwoPlayer):
    """Adds penalties, and never constrains."""

    def constrain(self, player):
        pass


class Conditional(Generator):
    latent_dim = 4

    def __init__(self, *, n_classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_classes, 4)
        self.layer = nn.Linear(4, 784)

    def forward(self, latents, label):
        return self.layer(latents + self.embedding(label)).view(-1, 1, 28, 28).tanh()
'''


@pytest.fixture
def plugin(install_plugin: Install) -> None:
    install_plugin("ruled", PLUGIN)


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, plugin: None, small_recipe: Callable[[Path, str], Path]) -> Write:
    text = "[train]\nbatch_size = 16\nsample_every = 0\nlog_every = 1\n"
    return lambda differs: small_recipe(tmp_path / "ruled.toml", differs + text)


def train(recipe: Path, name: str = "run", **options: object) -> ganzoo.Run:
    return ganzoo.train(recipe, out=recipe.parent / name, device="cpu", quiet=True, **options)  # type: ignore[arg-type]


def calls() -> list[tuple[tuple[int, ...], bool]]:
    """What the penalty on the generator was called for, the rehearsal's call first."""
    import ruled  # type: ignore[import-not-found]

    return list(ruled.Calm.seen)


def norms(run: ganzoo.Run) -> dict[str, float]:
    players = run.game.players()
    return {name: max(float(each.abs().max()) for each in player.parameters()) for name, player in players.items()}


def test_a_penalty_on_the_generator_is_in_its_loss_and_in_no_other(write: Write) -> None:
    recipe = write('[[regularizer]]\nname = "calm"\nweight = 100.0\n[game]\nn_critic = 3\n')
    plain = train(recipe, "plain", regularizer__0__weight=0.0)
    calm = train(recipe, "calm")
    first = [run.metrics[0] for run in (plain, calm)]
    assert first[1]["loss/generator"] > first[0]["loss/generator"] + 0.01
    assert first[1]["loss/discriminator"] == first[0]["loss/discriminator"]  # before the generator's first update


def test_it_is_computed_at_each_move_of_its_player_or_at_every_kth(write: Write) -> None:
    recipe = write('[[regularizer]]\nname = "calm"\n[game]\nn_critic = 3\n')
    train(recipe, "each")
    each = calls()[1:]
    assert each == [((16, 2), False)] * 4  # four rounds of three critic moves and one of the generator
    train(recipe, "lazy", steps=5, regularizer__0__every=2)
    assert len(calls()) - 1 - len(each) == 1 + 3  # one in the rehearsal, and at the first, third and fifth move


def test_a_resumed_run_computes_a_lazy_penalty_on_the_generator_when_it_is_due(write: Write) -> None:
    recipe = write('[[regularizer]]\nname = "calm"\nevery = 3\n')
    whole = train(recipe, "whole", steps=8)
    train(recipe, "parts", steps=4, train__checkpoint_every=0)
    resumed = ganzoo.resume(recipe.parent / "parts", steps=8, device="cpu", quiet=True)
    theirs, ours = (load_checkpoint(checkpoints_of(run.files.checkpoints)[-1]).tensors for run in (whole, resumed))
    assert theirs.keys() == ours.keys()
    assert "game" in ours  # where the count of moves is kept
    for file, tensors in theirs.items():
        assert all(torch.equal(tensor, ours[file][name]) for name, tensor in tensors.items())


def test_a_constraint_on_the_generator_leaves_the_discriminator_alone(write: Write) -> None:
    found = norms(train(write('[[regularizer]]\nname = "bounded"\n')))
    assert found["generator"] <= 0.02 < found["discriminator"]


def test_regularizers_of_both_players_each_work_on_their_own(write: Write) -> None:
    recipe = write('[[regularizer]]\nname = "weight-clip"\nlimit = 0.05\n[[regularizer]]\nname = "bounded"\n')
    found = norms(train(recipe))
    assert found["generator"] <= 0.02 < found["discriminator"] <= 0.05 + 1e-6


def test_a_conditional_generator_comes_with_its_conditions_given(
    few_glyphs: None, plugin: None, tmp_path: Path
) -> None:
    recipe = tmp_path / "conditional.toml"
    recipe.write_text(
        'extends = "vanilla_mnist"\n[dataset]\nname = "few-glyphs"\n[discriminator]\nhidden = [8]\nconditional = true\n'
        '[[regularizer]]\nname = "calm"\n[train]\nsteps = 2\nbatch_size = 8\n'
    )
    run = train(recipe, generator={"name": "conditional"})
    assert run.conditions.keys == ("label",)
    assert calls()[1:] == [((8, 1, 28, 28), False)] * 2


@pytest.mark.parametrize(
    ("differs", "line", "said"),
    [
        (
            '[[regularizer]]\nname = "r1"\n[[regularizer]]\nname = "stranger"\n',
            4,
            'the regularizer "stranger" works on a player "encoder", and the game "two-player" has no player of that '
            "name.\n  Did you mean generator? Its players: discriminator, generator.",
        ),
        (
            '[game]\nname = "careless"\n[[regularizer]]\nname = "calm"\n',
            4,
            'the game "careless" hands the regularizer "calm" the network of discriminator, and it works on that of '
            "generator.",
        ),
        (
            '[game]\nname = "careless"\n[[regularizer]]\nname = "bounded"\n[[regularizer]]\nname = "calm"\nevery = 9\n',
            4,
            'the game "careless" hands the regularizer "bounded" the network of discriminator',
        ),
        (
            '[game]\nname = "confused"\n[[regularizer]]\nname = "calm"\n',
            4,
            'the game "confused" does not apply the regularizer "calm" to the player generator.',
        ),
        (
            '[game]\nname = "forgetful"\n[[regularizer]]\nname = "r1"\n[[regularizer]]\nname = "weight-clip"\n',
            6,
            'the game "forgetful" does not apply the regularizer "weight-clip" to the player discriminator.',
        ),
    ],
)
def test_what_a_game_does_not_apply_to_its_player_is_refused_with_its_line(
    write: Write, tmp_path: Path, differs: str, line: int, said: str
) -> None:
    recipe = write(differs)
    with pytest.raises(RecipeError) as caught:
        train(recipe)
    assert str(caught.value).startswith(f"{recipe}:{line}: {said}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("table", ["regularizer", "augment"])
@pytest.mark.parametrize("game", ["cyclegan_glyphs", "pix2pix_glyphs"])
def test_games_that_take_no_regularizers_or_augmentations_say_so(tmp_path: Path, table: str, game: str) -> None:
    name = {"regularizer": "r1", "augment": "instance-noise"}[table]
    recipe = tmp_path / "ruled.toml"
    recipe.write_text(f'extends = "{game}"\n[[{table}]]\nname = "{name}"\n')
    with pytest.raises(RecipeError, match=rf'ruled\.toml:2: the game ".*" does not use \[\[{table}\]\]') as caught:
        train(recipe)
    assert "Take it out." in str(caught.value)
    assert not (tmp_path / "run").exists()
