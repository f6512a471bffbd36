"""[evaluate]: scores while a run trains, the best checkpoint, and a run that ends as if nobody had looked."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import RecipeError, RunError
from ganzoo.recipe import read_recipe

RECIPE = """
extends = "vanilla_mnist"
[generator]
latent_dim = 8
hidden = [16]
[discriminator]
hidden = [16]
[dataset]
name = "few-glyphs"
[ema]
every = 1
[evaluate]
every = 4
metrics = ["fid", { name = "kid", subsets = 3 }]
n = 100
[train]
steps = 20
log_every = 2
sample_every = 0
checkpoint_every = 6
"""

Run = ganzoo.Run
TIMES = ("seconds", "samples_per_second")


@pytest.fixture
def recipe(few_glyphs: None, tmp_path: Path) -> Path:
    path = tmp_path / "few.toml"
    path.write_text(RECIPE)
    return path


def trained(recipe: Path, out: str, **options: Any) -> Run:
    return ganzoo.train(recipe, out=recipe.parent / out, device="cpu", quiet=True, **options)


def rows(run: Run) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in TIMES} for row in run.metrics]


def weights(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.checkpoint.glob("*.safetensors")}


def best(run: Run) -> str:
    (path,) = (run.directory / "best").iterdir()
    return path.name


class StopAt:
    """Asks for a stop, as Ctrl-C does, once a row of that step is written."""

    def __init__(self, step: int) -> None:
        self.step = step

    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        import signal

        if step == self.step:
            signal.raise_signal(signal.SIGINT)


def test_scores_stand_in_the_rows_in_which_they_are_due(recipe: Path) -> None:
    run = trained(recipe, "run")
    scored = [row["step"] for row in run.metrics if "fid" in row]
    assert scored == [4, 8, 12, 16, 20]
    assert all("kid" in row for row in run.metrics if "fid" in row)
    assert len(run.metrics) == 10
    saved = read_recipe(run.directory / "recipe.toml").evaluate
    assert saved is not None
    assert [dict(one.options) for one in saved.metrics] == [{}, {"subsets": 3, "subset_size": 1000}]
    assert saved == read_recipe(recipe).evaluate


def test_scores_do_not_change_what_is_trained(recipe: Path) -> None:
    watched = trained(recipe, "watched")
    text = RECIPE.replace("[evaluate]", "").replace("every = 4\n", "")
    recipe.write_text("\n".join(line for line in text.splitlines() if not line.startswith(("metrics", "n ="))))
    alone = trained(recipe, "alone")
    assert alone.recipe.evaluate is None
    assert weights(watched) == weights(alone)
    without = [{name: value for name, value in row.items() if name not in ("fid", "kid")} for row in rows(watched)]
    assert without == rows(alone)


@pytest.mark.parametrize("step", [2, 8, 14])
def test_an_interrupted_run_ends_with_the_same_scores_and_the_same_best(recipe: Path, step: int) -> None:
    straight = trained(recipe, "straight")
    stopped = trained(recipe, "stopped", observers=[StopAt(step)])
    assert stopped.status == "interrupted"
    resumed = ganzoo.resume(recipe.parent / "stopped", quiet=True, device="cpu")
    assert resumed.status == "finished"
    assert rows(resumed) == rows(straight)
    assert weights(resumed) == weights(straight)
    assert best(resumed) == best(straight)


def test_the_best_checkpoint_is_kept_apart_and_can_be_sampled_and_scored(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(recipe, "run", overrides=["train.keep=1", "evaluate.best=kid"])
    scores = {row["step"]: row["kid"] for row in run.metrics if "kid" in row}
    step = min(scores, key=lambda step: scores[step])
    assert best(run) == f"step-{step:08d}"
    assert len(list((run.directory / "checkpoints").iterdir())) == 1
    chosen = ganzoo.load(run.directory, best=True)
    assert chosen.sample(3).shape == (3, 1, 28, 28)
    assert exit_status(["sample", str(run.directory), "--best", "-n", "4", "-o", str(recipe.parent / "best.png")]) == 0
    assert f"step {step}" in capsys.readouterr().out
    assert exit_status(["evaluate", str(run.directory), "--best", "--metric", "fid", "-n", "50", "--draws", "1"]) == 0
    assert f"step {step}," in capsys.readouterr().out
    (score,) = ganzoo.evaluate(chosen, metrics=["fid"], n=50, draws=1, device="cpu")
    assert score.step == step


def test_a_score_that_is_better_when_higher_keeps_its_highest(recipe: Path) -> None:
    run = trained(recipe, "run", overrides=["evaluate.metrics=['brightness']"])
    scores = {row["step"]: row["brightness"] for row in run.metrics if "brightness" in row}
    step = max(scores, key=lambda step: scores[step])
    assert best(run) == f"step-{step:08d}"


def test_without_scores_there_is_no_best_and_it_is_said(glyph_run: Path) -> None:
    with pytest.raises(RunError, match="no best checkpoint"):
        _ = ganzoo.load(glyph_run, best=True).checkpoint


def test_a_score_can_stop_the_run(recipe: Path) -> None:
    reached = ["train.stop.metric=fid", "train.stop.target=1e9"]
    run = trained(recipe, "target", overrides=reached)
    assert (run.status, run.step) == ("stopped", 4)
    assert "fid reached its target" in run.facts["reason"]
    never = ["train.stop.metric=brightness", "train.stop.patience=1", "evaluate.metrics=['brightness']"]
    patient = trained(recipe, "patience", overrides=[*never, "train.stop.direction=down"])
    scores = [row["brightness"] for row in patient.metrics if "brightness" in row]
    falls = [later < earlier for earlier, later in pairwise(scores)]
    assert patient.status == ("finished" if all(falls) else "stopped")
    assert patient.step % 4 == 0


@pytest.mark.parametrize(("steps", "log_every"), [(10, 2), (11, 2), (10, 4)])
def test_the_last_step_is_scored_though_it_is_no_multiple(recipe: Path, steps: int, log_every: int) -> None:
    run = trained(recipe, "run", steps=steps, overrides=[f"train.log_every={log_every}"])
    assert [row["step"] for row in run.metrics if "fid" in row] == [4, 8, steps]
    assert run.metrics[-1]["step"] == steps
    scores = {row["step"]: row["fid"] for row in run.metrics if "fid" in row}
    step = min(scores, key=lambda step: scores[step])
    assert ganzoo.load(run.directory, best=True).checkpoint.name == f"step-{step:08d}"


def test_the_step_of_a_stop_is_scored_and_that_of_an_interruption_is_not(recipe: Path) -> None:
    stopped = trained(recipe, "stopped", overrides=["train.stop.metric=d_real", "train.stop.target=2.0"])
    assert (stopped.status, stopped.step) == ("stopped", 2)
    assert "fid" in stopped.metrics[-1]
    interrupted = trained(recipe, "interrupted", observers=[StopAt(6)])
    assert interrupted.metrics[-1]["step"] == 6
    assert "fid" not in interrupted.metrics[-1]


@pytest.mark.parametrize("short", [6, 10, 11])
def test_a_larger_budget_goes_on_as_if_the_end_had_not_been_scored(recipe: Path, short: int) -> None:
    """The scores that the last step gets are neither in the rows nor in the best, nor do they stop the run."""
    patient = ["train.stop.metric=fid", "train.stop.patience=5"]
    straight = trained(recipe, "straight", overrides=patient)
    longer = trained(recipe, "longer", steps=short, overrides=patient)
    assert longer.metrics[-1]["step"] == short
    assert "fid" in longer.metrics[-1]
    resumed = ganzoo.resume(longer.directory, steps=20, quiet=True, device="cpu")
    assert rows(resumed) == rows(straight)
    assert weights(resumed) == weights(straight)
    assert best(resumed) == best(straight)


def test_a_run_killed_at_its_very_end_keeps_the_last_scores(recipe: Path) -> None:
    """After the last checkpoint, before it was said that the run is finished."""
    run = trained(recipe, "run", steps=10)
    before = rows(run), ganzoo.load(run.directory, best=True).checkpoint.name
    run.files.write_facts(run.facts | {"status": "running"})
    resumed = ganzoo.resume(run.directory, quiet=True, device="cpu")
    assert resumed.status == "finished"
    assert (rows(resumed), ganzoo.load(run.directory, best=True).checkpoint.name) == before


def test_the_time_of_scores_is_not_trainings(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that jumps by 1,000 seconds whenever samples are scored."""
    import time

    from ganzoo.metrics.during_training import Evaluation

    jumps = [0.0]
    true_clock, true_scores = time.perf_counter, Evaluation.scores

    def slow(self: Evaluation, raw: Any, conditions: Any) -> dict[str, float]:
        jumps[0] += 1000
        return true_scores(self, raw, conditions)

    monkeypatch.setattr(time, "perf_counter", lambda: true_clock() + jumps[0])
    monkeypatch.setattr(Evaluation, "scores", slow)
    run = trained(recipe, "run")
    assert jumps[0] == 5000
    assert run.facts["seconds"] < 900


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["evaluate.every=5"], "multiple of train.log_every (2)"),
        (["train.log_every=0"], "multiple of train.log_every (0)"),
        (["evaluate.metrics=[]"], "evaluate.metrics should be a list"),
        (["evaluate.metrics=fid"], "evaluate.metrics should be a list"),
        (["evaluate.metrics=['fidd']"], 'no metric "fidd"'),
        (["evaluate.metrics=[{ name = 'kid', subset = 3 }]"], "Did you mean subsets"),
        (["evaluate.best=loss"], "There are: fid, kid"),
        (["evaluate.extractor=nope"], 'no extractor "nope"'),
        (["evaluate.n=1"], "evaluate.n"),
        (["evaluate.evry=4"], "Did you mean every"),
    ],
)
def test_a_wrong_table_is_refused_before_anything_is_written(recipe: Path, overrides: list[str], said: str) -> None:
    with pytest.raises(RecipeError) as error:
        trained(recipe, "run", overrides=overrides)
    assert said in str(error.value)
    assert not (recipe.parent / "run").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["evaluate.metrics=['gaussian-modes']"], "counts modes"),
        (["evaluate.metrics=['inception-score']", "evaluate.extractor=pixels"], "needs a classifier"),
        (["evaluate.metrics=['inception-score']", "evaluate.n=5"], "at least 10 samples"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_before_anything_is_written(
    recipe: Path, overrides: list[str], said: str
) -> None:
    with pytest.raises(ganzoo.MetricError, match=said):
        trained(recipe, "run", overrides=overrides)
    assert not (recipe.parent / "run").exists()


def test_what_takes_long_before_the_first_step_is_said_unless_quiet(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for quiet in (False, True):
        ganzoo.train(recipe, out=recipe.parent / f"quiet {quiet}", device="cpu", quiet=quiet, steps=2)
        assert ("preparing the extractor stand-in" in capsys.readouterr().err) is not quiet


def test_the_rows_are_json_and_the_best_is_in_the_checkpoint(recipe: Path) -> None:
    run = trained(recipe, "run")
    state = json.loads((run.checkpoint / "state.json").read_text())
    scores = [row["fid"] for row in run.metrics if "fid" in row]
    assert state["evaluation"]["best"] == min(scores)
