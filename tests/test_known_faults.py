"""Faults of popular GAN scripts that a run here does not have, each test named by one.

Others are tested where they belong: batch norm's epsilon, linear layers left out of the first weights, and sizes that
16 does not divide in plugins/ganzoo-dcgan; latents that the generator's move takes from the critic in
test_two_player.py; a penalty's norm over the whole batch and one interpolation weight a batch in test_regularizers.py.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ganzoo
from ganzoo.runs.checkpoint import checkpoints_of, load_checkpoint
from ganzoo.training.session import Session
from ganzoo.training.state import Training

RECIPE = """
[game]
n_critic = 5
[generator]
name = "mlp"
latent_dim = 4
hidden = [8]
output = "none"
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "wasserstein"
[[regularizer]]
name = "gradient-penalty"
[dataset]
name = "gaussians"
size = 96
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "rmsprop"
momentum = 0.5
[schedule.generator]
name = "linear-decay"
[train]
steps = 8
batch_size = 32
log_every = 1
sample_every = 2
checkpoint_every = 5
samples = 16
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


class Watched:
    """What a run does: who moved, the latents of the grids, the optimizers' memory before the first move."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.moved: list[str] = []
        self.shown: list[Tensor] = []
        self.at_first = {name: packed(player.optimizer) for name, player in training.players.items()}
        for name, player in training.players.items():
            player.optimizer.register_step_post_hook(lambda *_, name=name: self.moved.append(name))
        training.players["generator"].module.register_forward_pre_hook(self.look)

    def look(self, generator: nn.Module, given: tuple[Tensor, ...]) -> None:
        if not generator.training:
            self.shown.append(given[0].clone())


def packed(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """A copy of what an optimizer remembers of each parameter, with the learning rate."""
    return [
        {"lr": group["lr"]} | {name: value.clone() for name, value in optimizer.state[parameter].items()}
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    """Every run of the test, from its first move on."""
    runs: list[Watched] = []
    play = Session.play

    def watch(self: Session) -> None:
        runs.append(Watched(self.training))
        play(self)

    monkeypatch.setattr(Session, "play", watch)
    return runs


class StopAt:
    """A listener that raises Ctrl-C in its own process."""

    def __init__(self, step: int) -> None:
        self.step = step

    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def test_n_critic_counted_within_the_epoch(recipe: Path, tmp_path: Path, watched: list[Watched]) -> None:
    """Where a batch's number in its epoch decides who moves, the first generator step follows one critic step."""
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    assert watched[0].training.data.batches_per_epoch == 3  # less than a round's five
    assert watched[0].moved == [*["discriminator"] * 5, "generator"] * 8
    assert [row["epoch"] for row in run.metrics] == pytest.approx([5 * step / 3 for step in range(1, 9)], abs=1e-3)


def test_penalty_and_critics_loss_stepped_separately(recipe: Path, tmp_path: Path, watched: list[Watched]) -> None:
    """One step of the optimizer a move, along the gradient of the sum."""
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    assert watched[0].moved.count("discriminator") == 5 * run.step
    game = watched[0].training.game
    critic = list(game.discriminator.parameters())  # type: ignore[union-attr]
    real = torch.randn(32, 2)
    torch.manual_seed(3)
    whole = torch.autograd.grad(next(iter(game.play(lambda: {"real": real}))).loss, critic, allow_unused=True)
    torch.manual_seed(3)
    fake = game.sample(32)
    loss = game.loss.discriminator(*game.scores(real, fake, {}))  # type: ignore[union-attr, operator]
    penalty = game.regularizers[0].penalty(game.discriminator, real, fake)  # type: ignore[index, union-attr]
    parts = [torch.autograd.grad(part, critic, allow_unused=True) for part in (loss, penalty)]
    assert all(any(gradient is not None and gradient.any() for gradient in part) for part in parts)
    for together, *apart in zip(whole, *parts, strict=True):
        # The last bias shifts all scores alike and gets a gradient from neither part.
        torch.testing.assert_close(together, sum(g for g in apart if g is not None), rtol=1e-4, atol=1e-6)


def test_grids_on_fresh_noise(recipe: Path, tmp_path: Path, watched: list[Watched]) -> None:
    """Every grid of a run shows the same latents, so that one can see what the training changed."""
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    shown = watched[0].shown
    assert len(shown) == len(list(run.files.samples.glob("*.png"))) == 5  # steps 0, 2, 4, 6, 8
    assert all(torch.equal(latents, shown[0]) for latents in shown)
    assert shown[0].unique().numel() > 16


def test_a_last_epoch_that_is_not_saved(recipe: Path, tmp_path: Path, watched: list[Watched]) -> None:
    """8 steps, a checkpoint every 5: the end is kept as well, and it is what sampling uses."""
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    last = load_checkpoint(checkpoints_of(run.files.checkpoints)[-1])
    assert last.state["step"] == run.metrics[-1]["step"] == 8
    for name, player in watched[0].training.players.items():
        for key, value in player.module.state_dict().items():
            assert torch.equal(last.tensors[name][key], value)
    generator = watched[0].training.players["generator"].module
    assert all(map(torch.equal, generator.parameters(), run.generator.parameters()))


def test_resume_that_drops_optimizers_and_schedule(recipe: Path, tmp_path: Path, watched: list[Watched]) -> None:
    """Adam's and RMSprop's averages and the learning rate go on where they were."""
    stopped = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[StopAt(5)])
    assert stopped.status == "interrupted"
    ganzoo.resume(tmp_path / "run", quiet=True)
    before, after = watched
    for name, player in before.training.players.items():
        for left, found in zip(packed(player.optimizer), after.at_first[name], strict=True):
            assert {"lr", "step", "square_avg"} <= left.keys() or {"lr", "step", "exp_avg_sq"} <= left.keys()
            assert left.keys() == found.keys()
            assert all(torch.equal(torch.as_tensor(left[key]), torch.as_tensor(found[key])) for key in left)
    # linear-decay keeps 2e-4 for one half and falls to 0 in the other: the eighth step is made at 7/8 of the budget.
    rate = after.training.players["generator"].optimizer.param_groups[0]["lr"]
    assert rate == pytest.approx(2e-4 * (8 - 7) / 4)
