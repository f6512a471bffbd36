"""[optimizer.PLAYER] clip_norm: the norm of a player's whole gradient has a bound, under whatever plays the rounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import RecipeError
from ganzoo.recipe import read_recipe, recipe_toml
from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.training.runners.compiled_rounds import CompiledRoundsRunner
from ganzoo.training.runners.cuda_graph_rounds import CapturedRoundsRunner
from ganzoo.training.state import Training

Make = Callable[..., Training]
Play = Callable[[Training, int], Checkpoint]
Gap = Callable[[Checkpoint, Checkpoint], float]

SGD = ('optimizer.generator={name="sgd", lr=1.0}', 'optimizer.discriminator={name="sgd", lr=1.0}')


def step_of(training: Training, player: str) -> tuple[list[Tensor], float]:
    """What the first round changed of a player's weights, and the logged norm of its gradient."""
    held = training.players[player].parameters
    before = [each.detach().clone() for each in held]
    with own_randomness(torch.device("cpu")):
        training.restore_streams()
        training.advance()
    return [old - new.detach() for old, new in zip(before, held, strict=True)], training.gradient_norms()[
        f"grad/{player}"
    ]


def norm(tensors: list[Tensor]) -> float:
    return torch.cat([each.flatten() for each in tensors]).norm().item()


def test_a_step_goes_the_same_way_and_no_further_than_the_norm(points: Path, training_of: Make) -> None:
    """Under SGD with a learning rate of 1 a step is the gradient."""
    whole, logged = step_of(training_of(points, *SGD), "discriminator")
    clipped, still_logged = step_of(
        training_of(points, *SGD, "optimizer.discriminator.clip_norm=0.05"), "discriminator"
    )
    assert norm(whole) > 0.1
    assert logged == still_logged == pytest.approx(norm(whole), rel=1e-5)  # the norm before clipping
    assert norm(clipped) == pytest.approx(0.05, rel=1e-4)
    for one, other in zip(clipped, whole, strict=True):
        torch.testing.assert_close(one, other * (0.05 / norm(whole)), rtol=1e-3, atol=1e-6)


def test_a_gradient_below_the_norm_stays_as_it_is(
    points: Path, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    above = ("optimizer.generator.clip_norm=1e6", "optimizer.discriminator.clip_norm=1e6")
    assert largest_gap(play(training_of(points, *above), 10), play(training_of(points), 10)) == 0.0


def test_only_the_named_player_is_clipped(points: Path, training_of: Make) -> None:
    """The generator moves second, on the discriminator's new weights, so the first move alone can be compared."""
    whole, _ = step_of(training_of(points, *SGD), "discriminator")
    other, _ = step_of(training_of(points, *SGD, "optimizer.generator.clip_norm=0.001"), "discriminator")
    assert all(map(torch.equal, whole, other))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_every_optimizer_of_the_shelf_is_given_the_clipped_gradient(
    points: Path, training_of: Make, optimizer: str
) -> None:
    name = f'optimizer.discriminator={{name="{optimizer}", lr=0.01, clip_norm=0.01}}'
    training = training_of(points, name)
    training.advance()
    training.advance()
    gradients = [each.grad for each in training.players["discriminator"].parameters if each.grad is not None]
    assert norm(gradients) == pytest.approx(0.01, rel=1e-3)


def test_captured_rounds_log_the_same_norms_and_end_with_the_same_weights(
    points: Path, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    clipped = ("optimizer.generator.clip_norm=0.01", "optimizer.discriminator.clip_norm=0.02")
    eager, static = training_of(points, *clipped), training_of(points, *clipped)
    runner = static.runner = CompiledRoundsRunner(static, "a test", compile_function=lambda piece, given: piece)
    assert largest_gap(play(static, 20), play(eager, 20)) == 0.0
    assert isinstance(runner, CapturedRoundsRunner)
    assert runner.graphs
    assert eager.gradient_norms() == static.gradient_norms()
    assert eager.gradient_norms()["grad/generator"] > 0.01


@pytest.mark.slow
def test_compiled_rounds_clip_as_eager_ones_do(points: Path, training_of: Make, play: Play, largest_gap: Gap) -> None:
    clipped = ("optimizer.generator.clip_norm=0.01", "optimizer.discriminator.clip_norm=0.02")
    eager, static = training_of(points, *clipped), training_of(points, *clipped)
    runner = static.runner = CompiledRoundsRunner(static, "a test")
    assert largest_gap(play(static, 50), play(eager, 50)) <= 1e-4  # the bound of test_cuda_graph_rounds.py
    assert runner.graphs


def test_a_clipped_run_that_was_stopped_ends_as_if_it_had_not_been(points: Path, tmp_path: Path) -> None:
    settings = ["optimizer.generator.clip_norm=0.01"]
    straight = ganzoo.train(points, out=tmp_path / "straight", overrides=settings, device="cpu", quiet=True)
    ganzoo.train(points, out=tmp_path / "run", overrides=settings, steps=25, device="cpu", quiet=True)
    resumed = ganzoo.resume(tmp_path / "run", steps=50, device="cpu", quiet=True)
    for file in sorted(straight.checkpoint.glob("*.safetensors")):
        assert file.read_bytes() == (resumed.checkpoint / file.name).read_bytes(), file.name
    rows = [{name: row[name] for name in row if name.startswith("grad/")} for row in straight.metrics]
    assert rows == [{name: row[name] for name in row if name.startswith("grad/")} for row in resumed.metrics]


def test_the_saved_recipe_keeps_the_norm(points: Path, tmp_path: Path) -> None:
    recipe = read_recipe(points, overrides=["optimizer.generator.clip_norm=2.5"])
    assert recipe.clip_norms == {"generator": 2.5}
    saved = tmp_path / "saved.toml"
    saved.write_text(recipe_toml(recipe))
    assert read_recipe(saved) == recipe
    assert "clip_norm" not in recipe_toml(read_recipe(points))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("optimizer.generator.clip_norm=0", "optimizer.generator.clip_norm should be float, above 0; found 0 (int)."),
        ('optimizer.generator.clip_norm="1"', 'clip_norm should be float, above 0; found "1" (text).'),
        ("optimizer.generator.clipnorm=1.0", "Did you mean clip_norm?"),
        ("generator.clip_norm=1.0", 'generator.clip_norm is not an option of generator "mlp".'),
    ],
)
def test_a_wrong_norm_is_told(points: Path, written: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe(points, overrides=[written])
    assert said in str(caught.value)


def test_nothing_is_registered_where_nothing_is_clipped(points: Path, training_of: Make) -> None:
    training = training_of(points, "optimizer.generator.clip_norm=1.0")
    hooks = {name: len(player.optimizer._optimizer_step_pre_hooks) for name, player in training.players.items()}
    assert hooks == {"generator": 1, "discriminator": 0}
