"""A player that can never move again is found at a checkpoint: the run fails, and what it leaves is sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.core.loop import Player
from ganzoo.errors import TrainingFailed
from ganzoo.training.finite_state import FiniteState
from ganzoo.training.state import Training

Install = Callable[[str, str], None]

PLUGIN = '''
from ganzoo import Component, NonSaturating, hookimpl


@hookimpl
def ganzoo_components():
    return [Component("loss", "spike", "spiky:Spike")]


class Spike(NonSaturating):
    """A loss that is huge once, and finite."""

    calls = 0

    def generator(self, fake, real=None):
        self.calls += 1
        return super().generator(fake, real) * (1e25 if self.calls == 26 else 1.0)
'''

RECIPE = """
[loss]
name = "spike"
[train]
steps = 60
log_every = 5
checkpoint_every = 10
sample_every = 0
"""


@pytest.fixture
def spiky(tmp_path: Path, small_recipe: Callable[[Path, str], Path], install_plugin: Install) -> Path:
    install_plugin("spiky", PLUGIN)
    return small_recipe(tmp_path / "spiky.toml", RECIPE)


def test_a_loss_that_was_huge_once_fails_the_run_and_the_last_sound_checkpoint_stays(
    spiky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert exit_status(["run", str(spiky), "--out", str(out), "--plain", "--device", "cpu"]) == 1
    said = capsys.readouterr().err
    assert "step 30: optimizer/generator.exp_avg_sq is inf." in said
    assert "ganzoo resume RUN --set optimizer.generator.lr=" in said
    facts = json.loads((out / "run.json").read_text())
    assert facts["status"] == "failed"
    assert [path.name for path in sorted((out / "checkpoints").iterdir())][-1] == "step-00000020"
    (finding,) = ganzoo.diagnose(out, samples=False)
    assert finding.name == "frozen-player"
    assert "optimizer/generator.exp_avg_sq was inf at step 30" in finding.seen


def test_the_advice_of_the_doctor_is_taken_and_helps(spiky: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed):
        ganzoo.train(spiky, out=tmp_path / "run", device="cpu", quiet=True)
    (finding,) = ganzoo.diagnose(tmp_path / "run", samples=False)
    assert finding.change[0] == "optimizer.generator.clip_norm = 1.0"
    again = ganzoo.train(spiky, out=tmp_path / "again", device="cpu", quiet=True, overrides=[finding.change[0]])
    assert again.status == "finished"


def test_a_run_made_before_such_states_were_looked_for_is_known_by_name(
    spiky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Training, "check_state", lambda self: None, raising=False)  # as it was before
    run = ganzoo.train(spiky, out=tmp_path / "run", device="cpu", quiet=True)
    assert run.status == "finished"
    found = {finding.name: finding for finding in ganzoo.diagnose(run)}
    assert "standstill" not in found
    assert "mode-collapse" not in found
    frozen = found["frozen-player"]
    assert frozen.severity == "failure"
    assert "exp_avg_sq of the generator's optimizer is not finite for 4 of its 4 tensors" in frozen.seen
    assert frozen.figures["moved"] < 1e-6  # a few weights have no gradient, and Adam knows no infinity of them


def player(value: float = 1.0) -> Player:
    network = nn.BatchNorm1d(2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.randn(4, 2, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    optimizer.step()
    with torch.no_grad():
        network.weight[0] = value
    return Player(network, optimizer)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_weights_running_statistics_and_optimizers_are_looked_at(bad: float) -> None:
    assert FiniteState({"one": player()}).largest() < 100
    broken = FiniteState({"one": player(), "other": player(bad)})
    assert not torch.tensor(broken.largest()).isfinite()
    assert [name for name, value in broken.largest_of_each().items() if not abs(value) < 1e9] == ["weights/other"]
    statistics = player()
    watched = FiniteState({"one": statistics})
    statistics.module.get_buffer("running_var").fill_(bad)
    assert [name for name, value in watched.largest_of_each().items() if not abs(value) < 1e9] == ["statistics/one"]


def test_a_mask_that_is_infinite_from_the_beginning_is_left_alone() -> None:
    made = player()
    made.module.register_buffer("mask", torch.full((2, 2), -torch.inf))
    assert FiniteState({"one": made}).largest() < 100


def test_a_state_that_is_broken_on_another_rank_only_fails_this_one_too(
    small_recipe: Callable[[Path, str], Path], training_of: Callable[..., Training], tmp_path: Path
) -> None:
    """The mean over the ranks is what all of them decide by."""
    training = training_of(small_recipe(tmp_path / "here.toml", ""))
    training.check_state()

    class Joined:
        """Two ranks, of which the other one's generator has a NaN."""

        def means(self, values: dict[str, float]) -> dict[str, float]:
            broken = ("largest", "weights/generator")
            return {name: torch.nan if name in broken else value for name, value in values.items()}

        def fail(self, error: Exception) -> None:
            raise error

    training.ranks = Joined()  # type: ignore[assignment]
    with pytest.raises(TrainingFailed, match="step 0: weights/generator is nan"):
        training.check_state()
