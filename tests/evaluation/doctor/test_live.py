"""While a run trains, a finding is said once, in the console, and the run is the same with it and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.core.data import DatasetInfo, Field
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.live import DoctorObserver

RECIPE = """
[dataset]
radius = 2.0
std = 0.05
[optimizer.generator]
lr = 1e-9
[optimizer.discriminator]
lr = 0.05
[train]
steps = 160
batch_size = 32
log_every = 4
sample_every = 0
"""
"""A generator that stands still: within a few rows the discriminator knows its samples from a ring of points."""


@pytest.fixture
def recipe(tmp_path: Path, small_recipe: Callable[[Path, str], Path]) -> Path:
    return small_recipe(tmp_path / "still.toml", RECIPE)


class FakeRun:
    """What `DoctorObserver` asks of a run that begins."""

    def __init__(self, course: Any) -> None:
        self.recipe, self.total_steps, self.metrics = course.recipe, course.total_steps, []
        self.info = DatasetInfo(fields={"real": Field((1, 28, 28), "uint8")}, size=60_000)


def live_findings(course: Any, rows: list[dict[str, float]]) -> list[tuple[int, str]]:
    said: list[tuple[int, str]] = []

    class Recorder(DoctorObserver):
        def report(self, finding: Finding) -> None:
            said.append((int(self.rows[-1]["step"]), finding.name))

    watch = Recorder(lambda *_: None)
    watch.ganzoo_run_started(FakeRun(course))  # type: ignore[arg-type]
    for row in rows:
        watch.ganzoo_metrics(row)
    return said


def test_a_finding_is_said_when_it_becomes_true_and_not_again(course: Any) -> None:
    made = course(60, loss__discriminator=[0.36] * 20 + [0.001] * 40)
    said = live_findings(made, made.rows)
    assert [name for _, name in said] == ["discriminator-too-strong"]
    assert 1050 < said[0][0] <= 1300  # within five rows of the first fifty-step row that shows it


def test_it_is_said_again_only_after_it_went_away(course: Any) -> None:
    made = course(120, loss__discriminator=[0.36] * 30 + [0.001] * 20 + [0.36] * 40 + [0.001] * 30)
    assert [name for _, name in live_findings(made, made.rows)] == ["discriminator-too-strong"] * 2


def test_healthy_rows_say_nothing(course: Any) -> None:
    made = course(60, loss__discriminator=[0.02, 0.02, 0.03, *[0.36] * 57])
    assert live_findings(made, made.rows) == []


def test_a_long_run_is_not_remembered_whole(course: Any) -> None:
    made = course(1500)
    watch = DoctorObserver(lambda *_: None)
    watch.ganzoo_run_started(FakeRun(made))  # type: ignore[arg-type]
    for row in made.rows:
        watch.ganzoo_metrics(row)
    assert len(watch.rows) <= 1000
    assert watch.rows[0] is made.rows[0]
    assert watch.rows[-160:] == made.rows[-160:]


def test_the_console_says_it_with_what_to_try(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ganzoo.train(recipe, out=tmp_path / "run", device="cpu", plain=True)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("doctor")]
    assert len(lines) == 1
    assert "discriminator too strong: its loss was" in lines[0]
    assert "; try optimizer.discriminator.lr = 0.01" in lines[0]


def test_quiet_runs_are_quiet_and_the_rows_are_the_same(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ganzoo.train(recipe, out=tmp_path / "heard", device="cpu", plain=True)
    capsys.readouterr()
    ganzoo.train(recipe, out=tmp_path / "quiet", device="cpu", quiet=True)
    assert capsys.readouterr().out == ""

    def rows(name: str) -> list[dict[str, float]]:
        written = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return [{key: row[key] for key in row if key not in ("seconds", "samples_per_second")} for row in written]

    assert rows("heard") == rows("quiet")


def test_a_run_that_goes_on_knows_the_rows_before(recipe: Path, tmp_path: Path) -> None:
    ganzoo.train(recipe, out=tmp_path / "run", steps=160, device="cpu", quiet=True)
    said: list[Finding] = []

    class Recorder(DoctorObserver):
        def report(self, finding: Finding) -> None:
            said.append(finding)

    watch = Recorder(lambda *_: None)
    ganzoo.resume(tmp_path / "run", steps=164, device="cpu", quiet=True, observers=[watch])
    assert [finding.name for finding in said] == ["discriminator-too-strong"]
    assert said[0].steps[0] < 160 < said[0].steps[1]
