"""Samples of kinds that the engine has never heard of: trained, sampled, judged, shown and resumed like images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.core.data import Shape
from ganzoo.evaluation.doctor.diagnosis import examine
from ganzoo.metrics.judge import Judge, choice_of
from ganzoo.recipe.parts import build_dataset
from ganzoo.testing import Failure, checks_of

UNIT_SHAPES: dict[str, Shape] = {
    "waveform": (1, 16000),
    "token": (17, 27),
    "clip": (4, 3, 8, 8),
    "volume": (1, 16, 16, 16),
    "row": (12,),
    "series": (24, 5),
    "plane": (4, 16, 16),
}
"""Recipe -> the shape of what its networks see."""

SCORES = {"fid", "kid", "precision", "recall", "density", "coverage"}

Captured = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("third_kinds")


@pytest.fixture(scope="module")
def runs(third_kinds: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Recipe -> a run of 24 steps; played when asked for."""
    folder = tmp_path_factory.mktemp("runs")

    class Runs(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            self[name] = ganzoo.train(f"third_{name}", out=folder / name, device="cpu", quiet=True).directory
            return self[name]

    return Runs()


def is_picture(path: Path) -> bool:
    """Whether a file is a picture with something on it."""
    with Image.open(path) as picture:
        low, high = picture.convert("L").getextrema()
        return picture.width > 8 and picture.height > 8 and low < high


@pytest.mark.parametrize("name", UNIT_SHAPES)
def test_it_trains_and_draws_grids(runs: dict[str, Path], name: str) -> None:
    run = ganzoo.load(runs[name])
    assert (run.status, run.step) == ("finished", 24)
    assert all(np.isfinite(value) for row in run.metrics for value in row.values() if isinstance(value, float))
    grids = sorted((runs[name] / "samples").glob("step-*.png"))
    assert [grid.name for grid in grids] == ["step-00000000.png", "step-00000012.png", "step-00000024.png"]
    assert all(map(is_picture, grids))
    assert tuple(run.sample(3).shape) == (3, *UNIT_SHAPES[name])


@pytest.mark.parametrize("name", UNIT_SHAPES)
def test_samples_are_written_in_every_ending_and_read_back(
    runs: dict[str, Path], name: str, tmp_path: Path, capsys: Captured
) -> None:
    run = ganzoo.load(runs[name])
    kind, field = run.kinds.sample, run.kinds.sample_field
    samples = run.sample(5, seed=3)
    for ending in {*kind.endings, ".png", ".gif", ".npz"}:
        path = tmp_path / f"samples{ending}"
        assert exit_status(["sample", str(runs[name]), "-n", "5", "--seed", "3", "-o", str(path)]) == 0
        if ending in (".png", ".gif"):
            assert is_picture(path)
        elif ending in (".npy", ".npz"):
            assert torch.equal(kind.read(path, field), samples)
        else:
            assert torch.equal(kind.from_unit(kind.read(path, field), field), kind.from_unit(samples, field))
    with np.load(tmp_path / "samples.npz") as held:
        assert (int(held["seed"]), int(held["step"])) == (3, 24)
    capsys.readouterr()
    wrong = tmp_path / "samples.xyz"
    assert exit_status(["sample", str(runs[name]), "-o", str(wrong)]) == 2
    said = capsys.readouterr().err
    assert all(ending in said for ending in kind.endings)
    assert not wrong.exists()


@pytest.mark.parametrize("name", UNIT_SHAPES)
def test_walks_are_rows_of_a_picture(runs: dict[str, Path], name: str, tmp_path: Path) -> None:
    path = tmp_path / "walk.png"
    assert exit_status(["sample", str(runs[name]), "-n", "20", "--interpolate", "-o", str(path)]) == 0
    assert is_picture(path)


@pytest.mark.parametrize("name", UNIT_SHAPES)
def test_it_is_scored_by_every_metric_of_features(runs: dict[str, Path], name: str) -> None:
    assert exit_status(["evaluate", str(runs[name]), "-n", "60", "--json"]) == 0
    scores = {score.name: score for score in ganzoo.load(runs[name]).scores}
    assert set(scores) == SCORES
    assert all(np.isfinite(score.value) for score in scores.values())


@pytest.mark.parametrize("name", UNIT_SHAPES)
def test_real_samples_against_themselves_score_best(runs: dict[str, Path], name: str, tmp_path: Path) -> None:
    run = ganzoo.load(runs[name])
    choices = [choice_of("metric", metric) for metric in ("precision-recall", "density-coverage")]
    judge = Judge(build_dataset(run.data_choice), tmp_path, metrics=choices, n=60, device=torch.device("cpu"))
    found = [judge.numbers(judge.real, task, 0) for task in judge.tasks]
    assert (found[0]["precision"], found[0]["recall"], found[1]["coverage"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("name", UNIT_SHAPES)
def test_it_is_reported_and_compared(runs: dict[str, Path], name: str, tmp_path: Path) -> None:
    run, other = runs[name], tmp_path / "other"
    shutil.copytree(run, other)
    assert exit_status(["report", str(run), "-o", str(tmp_path / "report.html")]) == 0
    assert exit_status(["compare", str(run), str(other), "-o", str(tmp_path / "both.html")]) == 0
    for page in ("report.html", "both.html"):
        assert (tmp_path / page).read_text().count("data:image/png;base64,") >= 2
    assert exit_status(["card", str(run), "-o", str(tmp_path / "card.md")]) == 0


def test_a_report_has_sound_to_play_and_text_to_read(runs: dict[str, Path], tmp_path: Path) -> None:
    def report(name: str) -> str:
        assert exit_status(["report", str(runs[name]), "-o", str(tmp_path / f"{name}.html")]) == 0
        return (tmp_path / f"{name}.html").read_text()

    assert (
        report("waveform").count('<audio controls src="data:audio/wav;base64,UklG') == 8
    )  # "RIFF", as such files begin
    run = ganzoo.load(runs["token"])
    texts = [media.content.decode() for media in run.kinds.sample.media(run.sample(8))]
    page = report("token")
    assert all(f"<pre>{text}</pre>" in page for text in texts)
    assert "newest checkpoint" not in report("volume")  # whose kind has no media


@pytest.mark.parametrize("name", UNIT_SHAPES)
def test_the_doctor_looks_at_its_samples(runs: dict[str, Path], name: str) -> None:
    diagnosis = examine(ganzoo.load(runs[name]))
    assert diagnosis.not_examined == ()
    assert [line for line in diagnosis.checked if line.startswith("samples: 1,000 of step 24")]


@pytest.mark.parametrize("name", UNIT_SHAPES)
def test_a_resumed_run_ends_with_the_same_weights(runs: dict[str, Path], name: str, tmp_path: Path) -> None:
    half = ganzoo.train(f"third_{name}", out=tmp_path / "half", device="cpu", quiet=True, steps=12).directory
    ganzoo.resume(half, steps=24, quiet=True)
    ours, whole = ganzoo.load(half).game.state_dict(), ganzoo.load(runs[name]).game.state_dict()
    assert all(torch.equal(ours[key], whole[key]) for key in whole)


def test_a_run_says_what_its_samples_are(runs: dict[str, Path]) -> None:
    facts = json.loads((runs["row"] / "run.json").read_text())
    assert "column 11" in json.dumps(facts["dataset"])
    assert ganzoo.load(runs["row"]).info.kind == "third-row"


def test_the_plugin_keeps_the_contracts(third_kinds: str) -> None:
    outcomes = {str(check): check.outcome() for check in checks_of(third_kinds)}
    assert {name: str(outcome) for name, outcome in outcomes.items() if isinstance(outcome, Failure)} == {}
