"""A suite is played to the same table whatever happens on the way: kills, failures, several processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.datasets.temporaries import temporary_name

Captured = pytest.CaptureFixture[str]

LONG = "steps = 30", "steps = 200"
"""So many steps that a process can be caught in the middle of them."""

in_process = pytest.mark.usefixtures("in_process_workers")


def benchmark(suite: Path, out: Path, *more: str) -> int:
    return exit_status(["benchmark", str(suite), "--out", str(out), "--device", "cpu", *more])


def program(suite: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "ganzoo", "benchmark", str(suite), "--out", str(out), "--device", "cpu", *more]


def table(out: Path) -> dict[str, Any]:
    """table.json without what depends on the clock."""
    whole: dict[str, Any] = json.loads((out / "table.json").read_bytes())
    del whole["date"]
    for row in rows(whole):
        for name in ("seconds", "cpu_seconds"):
            del row[name]
            for run in row["runs"]:
                del run[name]
    return whole


def rows(whole: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for group in whole["groups"] for row in group["rows"]]


def statuses(out: Path) -> dict[str, list[str]]:
    return {row["entry"]: [run["status"] for run in row["runs"]] for row in rows(table(out))}


def written(out: Path) -> dict[str, int]:
    """When each file of the runs was written."""
    return {str(path): path.stat().st_mtime_ns for path in (out / "runs").rglob("*") if path.is_file()}


def wait_for(what: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not what.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_workers_come_to_the_same_table_as_one(tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    assert benchmark(tiny, tmp_path / "one") == 0
    assert benchmark(tiny, tmp_path / "two", "--jobs", "2") == 0
    assert table(tmp_path / "one") == table(tmp_path / "two")
    assert statuses(tmp_path / "one") == {"plain": ["done", "done"], "narrow": ["done", "done"]}
    steps = {row["entry"]: row["steps"] for row in rows(table(tmp_path / "one"))}
    assert steps == {"plain": 30, "narrow": 20}
    said = capsys.readouterr()
    assert "plain" in said.out
    assert "4 of 4 runs done" in said.err


@in_process
def test_what_is_done_is_left_alone_and_a_missing_score_is_made(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert benchmark(tiny, out) == 0
    before, finished = table(out), written(out)
    assert benchmark(tiny, out) == 0
    assert written(out) == finished
    (scores,) = (out / "runs" / "plain-seed-1" / "evaluations").iterdir()
    scores.unlink()
    assert benchmark(tiny, out) == 0
    assert {path for path, when in written(out).items() if finished.get(path) != when} == {str(scores)}
    assert table(out) == before


@in_process
def test_what_killed_writers_left_in_a_suites_folders_is_removed(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert benchmark(tiny, out) == 0
    left = [folder / temporary_name() for folder in (out, out / "recipes", out / "runs", out / "times")]
    for path in left:
        path.touch()
    assert benchmark(tiny, out) == 0
    assert not [path for path in left if path.exists()]


@in_process
def test_more_seeds_and_entries_come_on_top_of_those_that_are_there(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert benchmark(tiny, out, "--only", "narrow", "--seeds", "1") == 0
    assert statuses(out) == {"narrow": ["done"]}
    assert rows(table(out))[0]["cells"]["modes"]["spread"] is None
    finished = written(out)
    assert benchmark(tiny, out, "--seeds", "1") == 0
    assert statuses(out) == {"plain": ["done"], "narrow": ["done"]}
    assert written(out).items() >= finished.items()


@in_process
def test_each_run_is_an_ordinary_one(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert benchmark(tiny, out, "--seeds", "1") == 0
    run = ganzoo.load(out / "runs" / "narrow-seed-1")
    assert (run.status, run.step, run.recipe.train.seed) == ("finished", 20, 1)
    again = ganzoo.train(out / "recipes" / "narrow.toml", seed=1, out=tmp_path / "again", device="cpu", quiet=True)
    assert again.sample(5).equal(run.sample(5))
    assert {score.name for score in run.scores} == {"modes", "high_quality"}


@in_process
def test_a_run_that_fails_stands_in_the_table_and_loses_no_other(tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    explosive = "optimizer.generator.lr = 1000.0\noptimizer.discriminator.lr = 1000.0"
    tiny.write_text(tiny.read_text().replace("generator.hidden = [8]", explosive))
    out = tmp_path / "out"
    assert benchmark(tiny, out, "--seeds", "0") == 1
    assert statuses(out) == {"plain": ["done"], "narrow": ["failed"]}
    said = (out / "table.md").read_text()
    assert re.search(r"narrow, seed 0: failed at step 10: step 10: \S+ is (inf|nan)", said)
    assert "| narrow |  |  |" in said
    assert "narrow, seed 0: failed" in capsys.readouterr().out.replace("\n", " ")


def test_a_killed_worker_is_a_failed_run_that_the_same_command_brings_to_its_end(
    tiny: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    tiny.write_text(tiny.read_text().replace(*LONG))
    out, log = tmp_path / "out", tmp_path / "straight"
    process = subprocess.Popen(program(tiny, out, "--seeds", "0"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(out / "runs" / "plain-seed-0" / "checkpoints" / "step-00000010", process)
    os.kill(ganzoo.load(out / "runs" / "plain-seed-0").facts["pid"], signal.SIGKILL)
    assert process.wait(timeout=120) == 1
    assert statuses(out) == {"plain": ["failed"], "narrow": ["done"]}
    assert "ended by signal 9" in (out / "table.md").read_text()
    request.getfixturevalue("in_process_workers")
    assert benchmark(tiny, out, "--seeds", "0") == 0
    assert ganzoo.load(out / "runs" / "plain-seed-0").facts["resumed"]
    times: dict[str, float] = json.loads((out / "times" / "plain-seed-0.json").read_bytes())
    assert list(times) == [str(step) for step in range(0, 201, 10)]
    assert sorted(times.values()) == list(times.values())
    assert benchmark(tiny, log, "--seeds", "0") == 0
    assert table(out) == table(log)


def test_where_the_suite_is_killed_its_workers_go_home_and_the_same_command_goes_on(
    tiny: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    tiny.write_text(tiny.read_text().replace(*LONG))
    out, run = tmp_path / "out", tmp_path / "out" / "runs" / "plain-seed-0"
    process = subprocess.Popen(program(tiny, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(run / "checkpoints" / "step-00000010", process)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while ganzoo.load(run).status == "running":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert ganzoo.load(run).status == "interrupted"
    request.getfixturevalue("in_process_workers")
    assert benchmark(tiny, out, "--seeds", "0") == 0
    assert statuses(out) == {"plain": ["done"], "narrow": ["done"]}


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(tiny.read_text().replace(*LONG))
    out, run = tmp_path / "out", tmp_path / "out" / "runs" / "plain-seed-0"
    process = subprocess.Popen(program(tiny, out, "--jobs", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(run / "checkpoints" / "step-00000010", process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"the same command goes on: ganzoo benchmark" in said
    assert b"Traceback" not in said
    assert ganzoo.load(run).status == "interrupted"
    assert statuses(out)["plain"][0] == "unfinished"


@in_process
def test_a_recipe_that_changed_since_is_refused_with_what_differs(tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    assert benchmark(tiny, out, "--only", "narrow", "--seeds", "0") == 0
    before, recipe = table(out), (out / "recipes" / "narrow.toml").read_text()
    tiny.write_text(tiny.read_text().replace("generator.hidden = [8]", "generator.hidden = [9]"))
    capsys.readouterr()
    assert benchmark(tiny, out) == 2
    said = capsys.readouterr().err
    assert "generator.hidden: [8] -> [9]" in said
    assert f"{tiny}:24" in said
    assert (table(out), (out / "recipes" / "narrow.toml").read_text()) == (before, recipe)
    assert benchmark(tiny, out, "--steps", "7") == 2
    assert "train.steps: 20 -> 7" in capsys.readouterr().err


@in_process
def test_another_way_of_scoring_scores_again_and_trains_nothing(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert benchmark(tiny, out, "--seeds", "0") == 0
    steps = {path: when for path, when in written(out).items() if "evaluations" not in path}
    tiny.write_text(tiny.read_text().replace("n = 300", "n = 200"))
    assert benchmark(tiny, out, "--seeds", "0") == 0
    assert written(out).items() >= steps.items()
    (group,) = table(out)["groups"]
    assert {column["measured"]["n_fake"] for column in group["columns"]} == {200}


@in_process
def test_scores_of_different_protocols_are_refused_a_column(tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    assert benchmark(tiny, out, "--seeds", "0") == 0
    (scores,) = (out / "runs" / "narrow-seed-0" / "evaluations").iterdir()
    scores.write_text(scores.read_text().replace('"checksum": "sha256:', '"checksum": "sha256:0'))
    assert benchmark(tiny, out, "--seeds", "0") == 2
    said = capsys.readouterr().err
    assert "plain-seed-0 and narrow-seed-0 were measured in different ways" in said
    assert "checksum" in said


@in_process
def test_a_suite_that_could_not_be_scored_is_refused_before_anything_is_trained(
    tiny: Path, tmp_path: Path, capsys: Captured
) -> None:
    tiny.write_text(tiny.read_text().replace('["gaussian-modes"]', '["fid"]'))
    assert benchmark(tiny, tmp_path / "out") == 2
    assert 'the entry "plain": the metric "fid" cannot be used here' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@in_process
def test_a_suite_never_falls_back_to_other_data(tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    tiny.write_text(tiny.read_text().replace('recipe = "wgan_gp_gaussians"\nset.game', 'recipe = "own.toml"\nset.game'))
    (tmp_path / "own.toml").write_text(
        'extends = "wgan_gp_gaussians"\n[dataset]\nname = "image-folder"\npath = "gone"\nfallback = "gaussians"\n'
    )
    tiny.write_text(tiny.read_text().replace("[set.dataset]\nsize = 500\n", ""))
    assert benchmark(tiny, tmp_path / "out") == 2
    assert 'the entry "plain"' in capsys.readouterr().err


@in_process
def test_a_directory_of_something_else_is_left_alone(tiny: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    assert benchmark(tiny, tmp_path / "out") == 2
    assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


@in_process
def test_json_is_all_that_is_printed_and_the_page_needs_no_other_file(
    tiny: Path, tmp_path: Path, capsys: Captured
) -> None:
    out = tmp_path / "out"
    assert benchmark(tiny, out, "--seeds", "0", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "table.json").read_bytes())
    page = (out / "table.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page.replace("https://www.w3.org", "")


@in_process
def test_entries_of_other_data_stand_in_a_table_of_their_own(tiny: Path, tmp_path: Path) -> None:
    tiny.write_text(tiny.read_text().replace("generator.hidden = [8]", 'dataset.layout = "grid"'))
    out = tmp_path / "out"
    assert benchmark(tiny, out, "--seeds", "0") == 0
    ring, grid = table(out)["groups"]
    assert [[row["entry"] for row in group["rows"]] for group in (ring, grid)] == [["plain"], ["narrow"]]
    said = (out / "table.md").read_text()
    assert "tiny: gaussians, layout ring" in said
    assert "tiny: gaussians, layout grid" in said


@in_process
def test_a_budget_of_seconds_ends_each_run_at_a_row_and_leaves_it_alone_afterwards(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert benchmark(tiny, out, "--seeds", "0", "--seconds", "0.2") == 0
    run = ganzoo.load(out / "runs" / "plain-seed-0")
    assert (run.status, run.step % 10) == ("stopped", 0)
    assert run.facts["seconds"] >= 0.2
    assert statuses(out) == {"plain": ["done"], "narrow": ["done"]}
    finished = written(out)
    assert benchmark(tiny, out, "--seeds", "0", "--seconds", "0.2") == 0
    assert written(out) == finished
