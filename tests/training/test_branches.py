"""A run that goes on with something changed, as a branch: what is allowed, what is recorded, and what is kept."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import DatasetError, RunError, TrainingFailed
from ganzoo.recipe import read_recipe
from ganzoo.runs.branches import branches_of
from ganzoo.runs.checkpoint import checkpoints_of, load_checkpoint
from ganzoo.training.device_data import Order
from ganzoo.training.session import Session

RECIPE = """
description = "a small GAN"
[generator]
name = "mlp"
latent_dim = 4
hidden = [8]
output = "none"
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "non-saturating"
[dataset]
name = "gaussians"
size = 320
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 20
batch_size = 32
log_every = 5
sample_every = 10
checkpoint_every = 5
keep = 9
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def run(recipe: Path, tmp_path: Path) -> Path:
    return ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True).directory


def resume(run: Path, *overrides: str, **options: Any) -> ganzoo.Run:
    return ganzoo.resume(run, overrides=overrides, device="cpu", quiet=True, **options)


def weights(run: Path, step: int) -> dict[str, dict[str, Any]]:
    tensors = load_checkpoint(run / "checkpoints" / f"step-{step:08d}").tensors
    return {file: {name: value.tolist() for name, value in held.items()} for file, held in tensors.items()}


def rates(run: Path) -> list[float]:
    state = load_checkpoint(checkpoints_of(run / "checkpoints")[-1]).state
    return [group["lr"] for group in state["optimizers"]["generator"]["groups"]]


def advised(error: BaseException | str, verb: str = "resume") -> list[str]:
    """The first command of that verb in a message, as its arguments."""
    found = re.search(rf"ganzoo ({verb} .*)", str(error))
    assert found, error
    return shlex.split(found[1])


def test_a_changed_rate_is_a_branch_and_is_what_the_optimizer_then_does(run: Path) -> None:
    again = resume(run, "optimizer.generator.lr=1e-5", steps=30)
    assert again.status == "finished"
    assert rates(run) == [1e-5]
    (branch,) = branches_of(again.facts)
    assert (branch.step, branch.changed) == (
        20,
        {"optimizer.generator.lr": (2e-4, 1e-5), "train.steps": (20, 30)},
    )
    text = (run / "recipe.toml").read_text()
    assert "lr = 1e-05" in text
    assert "#   at step 20: optimizer.generator.lr: 0.0002 -> 1e-05" in text
    assert read_recipe(run / "recipe.toml") == again.recipe


def test_a_branch_that_is_stopped_ends_like_one_that_was_not(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, other := tmp_path / "other")
    resume(run, "optimizer.generator.lr=1e-3", "train.batch_size=16", steps=40)
    resume(other, "optimizer.generator.lr=1e-3", "train.batch_size=16", steps=40, observers=[StopAt(30)])
    assert resume(other).status == "finished"
    assert weights(run, 40) == weights(other, 40)
    assert len(branches_of(ganzoo.load(other).facts)) == 1


def test_a_branch_that_is_killed_before_its_first_checkpoint_is_the_same_branch(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run, other := tmp_path / "other")
    resume(run, "optimizer.generator.lr=1e-3", steps=30)
    with monkeypatch.context() as patched:
        patched.setattr(Session, "play", be_killed)
        with pytest.raises(Killed):
            resume(other, "optimizer.generator.lr=1e-3", steps=30)
    assert checkpoints_of(other / "checkpoints")[-1].name == "step-00000020"
    resume(other)
    assert weights(run, 30) == weights(other, 30)
    assert len(branches_of(ganzoo.load(other).facts)) == 1


def test_going_back_keeps_what_was_left_as_a_run_of_its_own(run: Path) -> None:
    before = weights(run, 20)
    again = resume(run, "optimizer.generator.lr=1e-3", from_step=10)
    (branch,) = branches_of(again.facts)
    assert (branch.step, branch.left, branch.kept) == (10, 20, "branches/1")
    kept = ganzoo.load(run / "branches" / "1")
    assert [row["step"] for row in kept.metrics] == [5, 10, 15, 20]
    assert weights(kept.directory, 20) == before
    assert (kept.directory / "samples" / "step-00000020.png").is_file()
    assert [row["step"] for row in again.metrics] == [5, 10, 15, 20]
    assert weights(run, 20) != before
    assert weights(run, 10) == weights(run, 10)
    assert kept.sample(2).shape == (2, 2)
    assert resume(kept.directory, steps=25).status == "finished"


def test_going_back_and_changing_nothing_comes_to_the_same_end(run: Path) -> None:
    before = weights(run, 20)
    again = resume(run, from_step=5)
    assert weights(run, 20) == before
    assert str(branches_of(again.facts)[0]).startswith("at step 5 (back from step 20)")


def test_a_step_without_a_checkpoint_is_answered_with_those_that_there_are(run: Path) -> None:
    with pytest.raises(RunError, match="There are: 0, 5, 10, 15, 20"):
        resume(run, from_step=7)


def test_an_epoch_of_other_batches_is_counted_on_from_where_it_is(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", epochs=2, device="cpu", quiet=True, observers=[StopAt(15)])
    assert run.step == 15  # of 20: one epoch and a half
    again = resume(run.directory, "train.batch_size=64")
    assert again.total_steps == 15 + 3  # half an epoch of 5 batches
    assert again.metrics[-1]["epoch"] == 2.0 or again.metrics[-1]["step"] == 15
    assert resume(run.directory, epochs=4).total_steps == 15 + 3 + 10


def test_a_larger_budget_is_no_branch_where_no_rate_depends_on_it(run: Path) -> None:
    again = resume(run, steps=25)
    assert not branches_of(again.facts)
    assert again.facts["resumed"][-1]["changed"] == {"train.steps": [20, 25]}


def test_a_larger_budget_is_a_branch_where_the_rates_so_far_would_have_been_others(
    recipe: Path, tmp_path: Path
) -> None:
    recipe.write_text(f'{RECIPE}\n[schedule.generator]\nname = "linear-decay"\n')
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True)
    (branch,) = branches_of(resume(run.directory, steps=25).facts)
    assert branch.changed == {"train.steps": (20, 25)}


def test_what_is_only_written_of_a_run_is_no_branch(run: Path) -> None:
    again = resume(run, "train.keep=2", "train.samples=4", steps=25)
    assert not branches_of(again.facts)
    assert set(again.facts["resumed"][-1]["changed"]) == {"train.keep", "train.samples", "train.steps"}
    assert len(checkpoints_of(run / "checkpoints")) == 2


@pytest.mark.parametrize(
    "change",
    [
        "optimizer.generator.name=sgd",
        "optimizer.generator.betas=[0.0, 0.9]",
        "loss.name=hinge",
        "train.seed=3",
        "train.log_every=3",
        "game.n_critic=2",
    ],
)
def test_what_the_checkpoint_fits_may_be_changed(run: Path, change: str) -> None:
    again = resume(run, change, steps=26)
    assert again.status == "finished"
    assert change.partition("=")[0] in branches_of(again.facts)[0].changed
    assert [row["step"] for row in again.metrics][:4] == [5, 10, 15, 20]


def test_tables_may_be_added_and_taken_out(run: Path) -> None:
    resume(run, "ema.decay=0.9", "schedule.generator.name=cosine", steps=30)
    assert "ema-generator" in load_checkpoint(checkpoints_of(run / "checkpoints")[-1]).tensors
    again = resume(run, steps=40, unset=["ema", "schedule"])
    assert [branch.step for branch in branches_of(again.facts)] == [20, 30]
    assert rates(run) == [2e-4]


@pytest.mark.parametrize(
    "change",
    [
        "generator.hidden=[9]",
        "generator.latent_dim=5",
        "optimizer.generator={name = 'rmsprop', momentum = 0.9}",
        "start.freeze=['generator.network.0']",
    ],
)
def test_what_the_checkpoint_does_not_fit_is_refused_and_the_advice_is_accepted(
    run: Path, change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "rmsprop" in change:  # from one without momentum, whose state lacks the buffer
        resume(run, "optimizer.generator.name=rmsprop", steps=21)
        change = "optimizer.generator.momentum=0.9"
    before = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file() and path.name != ".lock"}
    with pytest.raises(RunError, match="does not fit") as refused:
        resume(run, change, steps=30)
    after = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file() and path.name != ".lock"}
    assert after == before
    monkeypatch.chdir(tmp_path)
    arguments = advised(refused.value, "run")
    assert exit_status([*arguments, "--device", "cpu", "--quiet", "--out", str(tmp_path / "anew")]) == 0


def test_weights_to_begin_with_are_refused_by_a_run_that_has_begun(run: Path) -> None:
    with pytest.raises(RunError, match="is read when a run begins"):
        resume(run, f"start.from={run}", steps=30)


def test_a_spent_budget_is_said_and_the_advice_is_accepted(run: Path) -> None:
    with pytest.raises(RunError, match="the budget of 20 steps is spent") as refused:
        resume(run, "optimizer.generator.lr=1e-5")
    steps = int(re.findall(r"--steps (\d+)", str(refused.value))[0])
    assert resume(run, "optimizer.generator.lr=1e-5", steps=steps).status == "finished"


def test_a_recipe_edited_by_hand_is_refused_and_goes_on_by_the_command_that_is_given(run: Path) -> None:
    text = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(text.replace("n_critic = 1", "n_critic = 2"))
    with pytest.raises(RunError, match=r"game\.n_critic: 1 -> 2") as refused:
        resume(run, steps=25)
    assert exit_status([*advised(refused.value), "--steps", "25", "--quiet", "--device", "cpu"]) == 0
    assert branches_of(ganzoo.load(run).facts)[0].changed["game.n_critic"] == (1, 2)


def test_a_branch_is_shown_by_console_report_and_compare(
    run: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run, tmp_path / "other")
    ganzoo.resume(run, overrides=["optimizer.generator.lr=1e-5"], steps=25, device="cpu", plain=True)
    change = "optimizer.generator.lr: 0.0002 -> 1e-05"
    assert f"branch      at step 20: {change}" in capsys.readouterr().out
    assert exit_status(["report", str(run)]) == 0
    assert "optimizer.generator.lr: 0.0002 -&gt; 1e-05" in (run / "report.html").read_text()
    compared = ganzoo.compare([run, tmp_path / "other"])
    assert change in compared.budgets["branches"][0]
    assert "run was changed on its way: its settings hold only from its last branch on." in compared.notes
    assert compared.to_json()["runs"][0]["branches"][0]["step"] == 20


def test_a_loss_that_is_no_number_is_gone_on_from_with_the_advice(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"is (nan|inf)") as failed:
        ganzoo.train(
            recipe,
            out=tmp_path / "run",
            overrides=[
                "optimizer.generator={name='sgd', lr=1000.0}",
                "optimizer.discriminator={name='sgd', lr=1000.0}",
            ],
            device="cpu",
            quiet=True,
        )
    assert "Lower the learning rates" in str(failed.value)
    arguments = [str(tmp_path / "run") if word == "RUN" else word for word in advised(failed.value)]
    assert exit_status([*arguments, "--quiet", "--device", "cpu"]) in (0, 1)  # halves may still be too large
    arguments = [re.sub(r"lr=.*", "lr=1e-4", word) for word in arguments]
    assert exit_status([*arguments, "--quiet", "--device", "cpu"]) == 0
    assert len(branches_of(ganzoo.load(tmp_path / "run").facts)) == 2


IMAGES = """
description = "images"
[generator]
name = "mlp"
latent_dim = 4
hidden = [8]
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "non-saturating"
[dataset]
name = "image-folder"
path = "pictures"
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 12
batch_size = 8
log_every = 4
sample_every = 0
checkpoint_every = 4
data = "stream"
workers = 0
"""


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pictures"
    generator = torch.Generator().manual_seed(0)
    for number in range(60):
        pixels = torch.randint(0, 256, (8, 8), generator=generator, dtype=torch.uint8).numpy()
        path = folder / ("train" if number < 54 else "test") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (tmp_path / "images.toml").write_text(IMAGES)
    return folder


def test_data_that_moved_are_the_same_run_at_another_place(pictures: Path, tmp_path: Path) -> None:
    run = ganzoo.train("images.toml", out="run", steps=8, device="cpu", quiet=True)
    pictures.rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="there is no folder") as refused:
        resume(run.directory, steps=12)
    assert "Set dataset.path" in str(refused.value)
    again = resume(run.directory, f"dataset.path={tmp_path / 'elsewhere'}", steps=12)
    assert not branches_of(again.facts)
    assert again.facts["resumed"][-1]["changed"]["dataset.path"] == ["pictures", str(tmp_path / "elsewhere")]
    assert resume(run.directory, steps=14).status == "finished"


def test_a_damaged_picture_ends_a_run_that_goes_on_without_it(pictures: Path, tmp_path: Path) -> None:
    rows = Order(54, 8, 0).batch(6, torch.device("cpu"))  # those of the seventh batch
    damaged = sorted((pictures / "train").iterdir())[int(rows[0])]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-30])
    with pytest.raises(DatasetError, match=damaged.name) as failed:
        ganzoo.train("images.toml", out="run", device="cpu", quiet=True)
    assert "Delete or replace" in str(failed.value)
    stopped = ganzoo.load("run")
    assert (stopped.status, stopped.step, stopped.checkpoint_step) == ("failed", 6, 6)  # and not 4, as it is due
    damaged.unlink()
    with pytest.raises(RunError, match="There were 54 examples, and now there are 53") as refused:
        resume(Path("run"))
    assert exit_status([*advised(refused.value), "--quiet", "--device", "cpu"]) == 0
    run = ganzoo.load("run")
    (branch,) = branches_of(run.facts)
    assert branch.data["size"] == (54, 53)
    assert run.status == "finished"
    assert run.facts["dataset"]["size"] == 53
    assert resume(Path("run"), steps=14).status == "finished"


def test_pictures_of_other_classes_are_refused(pictures: Path) -> None:
    run = ganzoo.train("images.toml", out="run", steps=4, device="cpu", quiet=True)
    for number, path in enumerate(sorted(pictures.glob("*/*.png"))):
        (folder := path.parent / "ab"[number % 2]).mkdir(exist_ok=True)
        path.rename(folder / path.name)
    with pytest.raises(RunError, match=r"classes \['a', 'b'\]"):
        resume(run.directory, steps=12, accept_data=True)


class StopAt:
    """A listener that asks for a stop, as Ctrl-C does, once a row of that step or later is written."""

    def __init__(self, step: int) -> None:
        self.step = step

    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        if step >= self.step:
            os.kill(os.getpid(), signal.SIGINT)


class Killed(Exception):
    """In the place of a signal that no process survives."""


def be_killed(*_: object) -> None:
    raise Killed
