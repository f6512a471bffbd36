"""Whatever plays the rounds, it is the same run; and a run says what played it, and why."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import ganzoo
from ganzoo.errors import RecipeError
from ganzoo.runs.checkpoint import checkpoints_of
from ganzoo.training.runners.eager import EagerRunner
from ganzoo.training.state import Training

POINTS = """
description = "a small GAN of points"
[generator]
name = "mlp"
latent_dim = 4
hidden = [16]
output = "none"
[discriminator]
name = "mlp"
hidden = [16]
[loss]
name = "non-saturating"
[[regularizer]]
name = "r1"
weight = 0.1
every = 3
[dataset]
name = "gaussians"
size = 500
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "rmsprop"
[schedule.generator]
name = "linear-decay"
[ema]
every = 2
[train]
steps = 40
batch_size = 32
log_every = 7
sample_every = 20
checkpoint_every = 9
"""

TIMINGS = ("seconds", "samples_per_second")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "points.toml"
    path.write_text(POINTS)
    return path


def made(run: Path) -> dict[str, object]:
    """All that a run made, apart from its timings."""
    files = [*(run / "samples").iterdir(), *checkpoints_of(run / "checkpoints")[-1].glob("*.safetensors")]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "rows": [{name: value for name, value in row.items() if name not in TIMINGS} for row in rows],
    }


class FiveRoundsRunner(EagerRunner):
    """Plays up to five rounds at a time."""

    calls: list[int]

    def advance(self, max_rounds: int) -> None:
        rounds = min(max_rounds, 5)
        FiveRoundsRunner.calls.append(rounds)
        for _ in range(rounds):
            super().advance(1)


def test_several_rounds_at_a_time_leave_the_same_rows_grids_and_checkpoints(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ganzoo.train(recipe, out=tmp_path / "singly", device="cpu", quiet=True)
    FiveRoundsRunner.calls = []
    monkeypatch.setattr(
        "ganzoo.training.launch.choose_runner", lambda training, *_: FiveRoundsRunner(training, "a test")
    )
    ganzoo.train(recipe, out=tmp_path / "strides", device="cpu", quiet=True)
    assert made(tmp_path / "strides") == made(tmp_path / "singly")
    # rows at 7, 14, ...; checkpoints at 9, 18, ...; grids at 20 and 40
    assert FiveRoundsRunner.calls == [5, 2, 2, 5, 4, 2, 1, 5, 1, 1, 5, 2, 1, 4]
    assert sum(FiveRoundsRunner.calls) == 40


def test_a_run_says_what_played_it_and_why(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", overrides=["train.runner=eager"], quiet=True)
    assert (run.facts["runner"], run.facts["runner_reason"]) == ("eager", "the recipe says so")


def test_a_run_may_go_on_under_another_runner(recipe: Path, tmp_path: Path) -> None:
    ganzoo.train(recipe, out=tmp_path / "straight", device="cpu", quiet=True)
    ganzoo.train(recipe, out=tmp_path / "run", device="cpu", steps=18, quiet=True)
    written = tmp_path / "run" / "recipe.toml"
    written.write_text(written.read_text().replace('runner = "auto"', 'runner = "eager"'))
    resumed = ganzoo.resume(tmp_path / "run", device="cpu", steps=40, quiet=True)
    assert [entry["runner"] for entry in resumed.facts["resumed"]] == ["eager"]
    assert resumed.facts["runner_reason"] == "the recipe says so"


def test_an_unknown_runner_is_refused_with_the_names_of_all(recipe: Path) -> None:
    with pytest.raises(RecipeError, match=r'train\.runner should be "auto", "eager", "compile" or "cudagraph"'):
        ganzoo.train(recipe, overrides=["train.runner=warp"], quiet=True)


def test_a_row_has_the_means_of_its_own_window_alone(recipe: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, float]] = []

    class Watching(EagerRunner):
        def advance(self, max_rounds: int) -> None:
            super().advance(max_rounds)
            seen.append((self.training.step, self.training.means.counts["d_real"]))

    def train(training: Training, *_: object) -> EagerRunner:
        return Watching(training, "a test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganzoo.training.launch.choose_runner", train)
        ganzoo.train(recipe, out=tmp_path / "run", device="cpu", steps=15, quiet=True)
    assert [count for _, count in seen] == [*range(1, 8), *range(1, 8), 1]


def test_the_console_says_what_plays_a_run_and_why(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ganzoo.train(recipe, out=tmp_path / "run", device="cpu", steps=2, plain=True)
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("runner ")]
    assert said.split(maxsplit=1)[1] == "eager (2 steps are not worth compiling a step)"
