"""A Run that somebody keeps follows its files: no weights, facts or recipe of before are taken for those of now."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo.evaluation.doctor.diagnosis import diagnose
from ganzoo.runs.checkpoint import load_checkpoint

RECIPE = """
[ema]
[train]
steps = 4
batch_size = 16
log_every = 1
sample_every = 2
checkpoint_every = 2
keep = 2
"""


@pytest.fixture
def recipe(tmp_path: Path, small_recipe: Callable[[Path, str], Path]) -> Path:
    return small_recipe(tmp_path / "held.toml", RECIPE)


def has_weights_of(run: ganzoo.Run, checkpoint: Path) -> bool:
    have, kept = run.game.players()["generator"].state_dict(), load_checkpoint(checkpoint).tensors["generator"]
    return have.keys() == kept.keys() and all(torch.equal(have[name], kept[name]) for name in kept)


class Sampler:
    """A listener that samples at every event, and notes which checkpoint's weights it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []
        self.drawn: dict[int, Tensor] = {}

    def look(self, event: str, run: ganzoo.Run, step: int) -> None:
        run.sample(2)
        assert has_weights_of(run, run.checkpoint)
        assert run.step == step
        self.seen.append((event, step, run.checkpoint_step))

    @ganzoo.hookimpl
    def ganzoo_run_started(self, run: ganzoo.Run) -> None:
        self.look("started", run, run.step)

    @ganzoo.hookimpl
    def ganzoo_metrics(self, run: ganzoo.Run, step: int) -> None:
        self.look("row", run, step)

    @ganzoo.hookimpl
    def ganzoo_samples(self, run: ganzoo.Run, step: int, samples: dict[str, Tensor]) -> None:
        self.look("grid", run, step)
        self.drawn[step] = samples["samples"]

    @ganzoo.hookimpl
    def ganzoo_checkpoint(self, run: ganzoo.Run, step: int, path: Path) -> None:
        self.look("checkpoint", run, step)
        assert run.checkpoint == path

    @ganzoo.hookimpl
    def ganzoo_run_finished(self, run: ganzoo.Run) -> None:
        self.look("finished", run, run.step)


def test_a_listener_samples_from_the_newest_checkpoint_at_every_event(recipe: Path, tmp_path: Path) -> None:
    """As the hooks' docstrings say it: a row and a grid come before the checkpoint of their step, if it has one."""
    listener = Sampler()
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[listener])
    assert listener.seen == [
        ("started", 0, 0),
        ("grid", 0, 0),
        ("row", 1, 0),
        ("row", 2, 0),
        ("grid", 2, 0),
        ("checkpoint", 2, 2),
        ("row", 3, 2),
        ("row", 4, 2),
        ("grid", 4, 2),
        ("checkpoint", 4, 4),
        ("finished", 4, 4),
    ]
    assert torch.equal(listener.drawn[4], run.sample(64))  # the samples of a grid are those of its own step


def test_a_run_held_across_a_resume_is_the_resumed_run(recipe: Path, tmp_path: Path) -> None:
    trained = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    loaded = ganzoo.load(tmp_path / "run")
    before = {held: held.sample(8) for held in (trained, loaded)}
    assert all(held.generator is held.generator for held in before)  # as long as nothing changes, nothing is loaded
    resumed = ganzoo.resume(tmp_path / "run", steps=8, quiet=True)
    for held, old in before.items():
        assert torch.equal(held.sample(8), resumed.sample(8))
        assert not torch.equal(held.sample(8), old)
        assert (held.step, held.total_steps, held.status) == (8, 8, "finished")
        assert held.recipe.train.steps == 8
        assert len(held.facts["resumed"]) == 1
        assert repr(held) == repr(resumed)
        assert torch.equal(held.generator(torch.ones(1, 4)), resumed.generator(torch.ones(1, 4)))


def test_a_run_held_while_another_is_trained_in_its_place_is_the_other(recipe: Path, tmp_path: Path) -> None:
    """Same folder, same steps, other seed: the checkpoints have the names of those before."""
    held = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    before = held.sample(8)
    shutil.rmtree(tmp_path / "run")
    other = ganzoo.train(recipe, out=tmp_path / "run", seed=1, quiet=True)
    assert held.recipe.train.seed == 1
    assert torch.equal(held.sample(8), other.sample(8))
    assert not torch.equal(held.sample(8), before)


def test_the_best_weights_are_those_of_the_best_checkpoint_now(
    glyph_run: Path, tmp_path: Path, few_glyphs: None
) -> None:
    shutil.copytree(glyph_run, tmp_path / "run")
    best = tmp_path / "run" / "best"
    shutil.copytree(glyph_run / "checkpoints" / "step-00000000", best / "step-00000000")
    held = ganzoo.load(tmp_path / "run", best=True)
    first = held.sample(2)
    shutil.copytree(glyph_run / "checkpoints" / "step-00000020", best / "step-00000020")
    shutil.rmtree(best / "step-00000000")
    assert held.checkpoint_step == 20
    assert not torch.equal(held.sample(2), first)
    assert torch.equal(held.sample(2), ganzoo.load(glyph_run).sample(2))


def test_a_pinned_run_keeps_its_weights_while_the_run_goes_on(recipe: Path, tmp_path: Path) -> None:
    pinned = ganzoo.train(recipe, out=tmp_path / "run", quiet=True).pinned()
    before = pinned.sample(8)
    ganzoo.resume(tmp_path / "run", steps=12, quiet=True)  # of which the last two checkpoints are kept
    assert not pinned.checkpoint.exists()
    assert (pinned.checkpoint_step, pinned.step) == (4, 12)
    assert torch.equal(pinned.sample(8), before)


@pytest.mark.usefixtures("few_glyphs")
def test_scores_and_findings_of_a_run_that_goes_on_training_are_of_one_checkpoint(
    glyph_run: Path, tmp_path: Path
) -> None:
    """A checkpoint that appears meanwhile takes neither the step of the score nor a part of the samples."""
    shutil.copytree(glyph_run, tmp_path / "run")
    of_20 = ganzoo.evaluate(glyph_run, metrics=["brightness"], n=20, device="cpu", save=False)
    newer = tmp_path / "run" / "checkpoints" / "step-00000030"

    def go_on(_: str) -> None:
        if not newer.exists():
            shutil.copytree(glyph_run / "checkpoints" / "step-00000000", newer)

    scores = ganzoo.evaluate(
        tmp_path / "run", metrics=["brightness"], n=20, device="cpu", save=False, report_progress=go_on
    )
    assert newer.exists()
    assert [(score.step, score.value) for score in scores] == [(20, score.value) for score in of_20]
    shutil.rmtree(newer)
    found = diagnose(tmp_path / "run", report_progress=go_on)
    assert newer.exists()
    assert {finding.steps[1] for finding in found} <= {20}


def test_a_row_may_be_read_without_a_look_at_any_weights(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run logs costs no checkpoint: networks are built when somebody asks for samples, and not before."""
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)

    def never(*_: Any) -> None:
        raise AssertionError("the networks were built")

    monkeypatch.setattr("ganzoo.runs.run.build_game", never)
    held = ganzoo.load(run.directory)
    assert (held.step, held.status, held.checkpoint_step, len(held.metrics)) == (4, "finished", 4, 4)
    assert held.scores == []


def test_a_damaged_newest_checkpoint_is_replaced_when_the_run_goes_on(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that went on from the one before can be sampled at every event, and ends with its last step's weights."""
    ganzoo.train(recipe, out=tmp_path / "whole", quiet=True)
    broken = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    (broken.checkpoint / "generator.safetensors").write_bytes(b"cut off")
    listener = Sampler()
    again = ganzoo.resume(tmp_path / "run", quiet=True, observers=[listener])
    assert "Going on from step-00000002 instead" in capsys.readouterr().err
    assert [seen for seen in listener.seen if seen[0] in ("started", "checkpoint")] == [
        ("started", 2, 2),
        ("checkpoint", 4, 4),
    ]
    assert torch.equal(again.sample(8), ganzoo.load(tmp_path / "whole").sample(8))
