"""Networks that ask for groups of parameters, each with its own share of the learning rate."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo.errors import RecipeError
from ganzoo.plugins import zoo
from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.training.state import Training

Make = Callable[..., Training]
Play = Callable[[Training, int], Checkpoint]

PLUGIN = """
from torch import nn
from ganzoo import Component, Generator, hookimpl


@hookimpl
def ganzoo_components():
    return [Component("generator", "mapped", "third_groups:Mapped")]


class Mapped(Generator):
    '''A generator with a mapping network that learns more slowly, as StyleGAN's does. asks: how.'''

    def __init__(self, *, latent_dim: int = 4, asks: str = "slow mapping"):
        super().__init__()
        self.latent_dim, self.asks = latent_dim, asks
        self.mapping = nn.Sequential(nn.Linear(latent_dim, 8), nn.ReLU())
        self.synthesis = nn.Linear(8, 2)

    def forward(self, latents):
        return self.synthesis(self.mapping(latents))

    def parameter_groups(self):
        slow, quick = self.mapping.parameters(), {"params": self.synthesis.parameters()}
        return {
            "slow mapping": [{"params": slow, "lr_factor": 0.01}, quick],
            "decay": [{"params": slow, "weight_decay": 0.5}, quick],
            "one": [{"params": self.parameters()}],
            "twice": [{"params": self.parameters()}, quick],
            "not all": [quick],
            "strangers": [{"params": self.parameters()}, {"params": [nn.Parameter(self.synthesis.bias.detach())]}],
            "unknown": [{"params": slow, "weight_decoy": 0.5}, quick],
            "lr": [{"params": slow, "lr": 0.5}, quick],
            "zero": [{"params": slow, "lr_factor": 0.0}, quick],
            "nothing": [{"lr_factor": 1.0}],
        }[self.asks]
"""

MAPPED = ('generator={name="mapped"}',)


@pytest.fixture(autouse=True, scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    site = tmp_path_factory.mktemp("site")
    (site / "third_groups.py").write_text(PLUGIN)
    info = site / "third_groups-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-groups\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganzoo]\nthird_groups = third_groups\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        importlib.invalidate_caches()
        zoo.cache_clear()
        yield
    zoo.cache_clear()
    sys.modules.pop("third_groups", None)


def rates(training: Training) -> list[float]:
    return [group["lr"] for group in training.players["generator"].optimizer.param_groups]


def test_each_group_has_its_share_of_the_learning_rate(points: Path, training_of: Make) -> None:
    training = training_of(points, *MAPPED, "optimizer.generator.lr=0.01")
    assert rates(training) == pytest.approx([0.0001, 0.01])
    held = [len(group["params"]) for group in training.players["generator"].optimizer.param_groups]
    assert held == [2, 2]


def test_the_first_step_of_a_slow_group_is_that_much_shorter(points: Path, training_of: Make) -> None:
    """Adam's first step is the learning rate, whatever the gradient."""
    training = training_of(points, *MAPPED, "optimizer.generator.lr=0.01")
    network = training.game.generator
    before = {name: each.detach().clone() for name, each in network.named_parameters()}
    training.advance()
    moved = {name: (each.detach() - before[name]).abs().max().item() for name, each in network.named_parameters()}
    assert moved["mapping.0.weight"] == pytest.approx(1e-4, rel=0.05)
    assert moved["synthesis.weight"] == pytest.approx(1e-2, rel=0.05)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_every_optimizer_of_the_shelf_takes_groups(points: Path, training_of: Make, optimizer: str) -> None:
    training = training_of(points, *MAPPED, f'optimizer.generator={{name="{optimizer}", lr=0.01}}')
    before = [each.detach().clone() for each in training.players["generator"].parameters]
    training.advance()
    after = training.players["generator"].parameters
    assert rates(training) == pytest.approx([0.0001, 0.01])
    assert not any(map(torch.equal, before, after))


def test_other_options_of_the_optimizer_are_the_groups_own(points: Path, training_of: Make) -> None:
    training = training_of(points, *MAPPED, "generator.asks=decay")
    groups = training.players["generator"].optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]
    assert [group["betas"] for group in groups] == [(0.5, 0.999)] * 2


def test_schedules_keep_the_ratio(points: Path, training_of: Make, play: Play) -> None:
    training = training_of(points, *MAPPED, 'schedule.generator={name="linear-decay", start=0.0}')
    play(training, 26)
    slow, quick = rates(training)
    assert quick == pytest.approx(2e-4 * 0.5)
    assert slow == pytest.approx(quick * 0.01)


def test_a_run_with_groups_that_was_stopped_ends_as_if_it_had_not_been(points: Path, tmp_path: Path) -> None:
    settings = [*MAPPED, "optimizer.generator.clip_norm=0.1", "ema.every=2"]
    straight = ganzoo.train(points, out=tmp_path / "straight", overrides=settings, device="cpu", quiet=True)
    ganzoo.train(points, out=tmp_path / "run", overrides=settings, steps=25, device="cpu", quiet=True)
    resumed = ganzoo.resume(tmp_path / "run", steps=50, device="cpu", quiet=True)
    for file in sorted(straight.checkpoint.glob("*.safetensors")):
        assert file.read_bytes() == (resumed.checkpoint / file.name).read_bytes(), file.name


def test_frozen_parameters_are_in_no_group(points: Path, training_of: Make) -> None:
    training = training_of(points, *MAPPED, 'start.freeze=["generator.mapping"]')
    (group,) = training.players["generator"].optimizer.param_groups
    assert [id(each) for each in group["params"]] == [
        id(each) for each in training.game.generator.synthesis.parameters()
    ]


@pytest.mark.parametrize(
    ("asks", "said"),
    [
        ("twice", "of the player generator has synthesis.weight, synthesis.bias more than once."),
        ("not all", "of the player generator has mapping.0.weight, mapping.0.bias in no group."),
        ("strangers", "of the player generator: group 1 holds what is no parameter of it."),
        ("unknown", '"weight_decoy" is not an option of a group of Adam.\n  Did you mean weight_decay?'),
        ("lr", '"lr" is not an option of a group of Adam.\n  Did you mean lr_factor?'),
        ("zero", "lr_factor should be a number above 0; found 0.0."),
        ("nothing", "group 0 has no `params`."),
    ],
)
def test_wrong_groups_are_told_before_anything_is_written(points: Path, tmp_path: Path, asks: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        ganzoo.train(points, out=tmp_path / "run", overrides=[*MAPPED, f"generator.asks={asks}"], quiet=True)
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_networks_that_are_optimised_together_may_each_ask() -> None:
    from ganzoo.recipe.parameter_groups import checked, groups_of

    class Slow(torch.nn.Linear):
        def parameter_groups(self) -> list[dict[str, object]]:
            return [{"params": self.weight, "lr_factor": 0.1}, {"params": [self.bias]}]

    pair = torch.nn.ModuleDict({"a2b": Slow(2, 2), "b2a": torch.nn.Linear(2, 2)})
    groups = checked(list(groups_of(pair)), "generators", pair)
    assert [len(group["params"]) for group in groups] == [1, 1, 2]
