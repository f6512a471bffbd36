"""`ganzoo compare` and `ganzoo.compare`: what differs, and who is better where that can be said at all."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.evaluation.comparison.columns import Column
from ganzoo.runs.score import Protocol, Score, save_scores

Captured = pytest.CaptureFixture[str]

Write = Callable[[Path, str], Path]

RECIPE = """
description = "a small GAN"
[generator]
latent_dim = 2
hidden = [8]
[discriminator]
hidden = [8]
[loss]
name = "hinge"
[train]
log_every = 2
sample_every = 2
samples = 9
"""


class Page(HTMLParser):
    """What a browser would see: the words, the pictures' names, and what it would have to fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words = ""
        self.pictures: list[str | None] = []
        self.links: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.pictures += [given.get("alt")] if tag == "img" else []
        found = [given[name] for name in ("src", "href") if name in given]
        self.links += [link for link in found if not str(link).startswith(("data:image/png;base64,", "#"))]

    def handle_data(self, data: str) -> None:
        self.words += data


WIDER = ["generator.hidden=[16]", "train.seed=3", "loss.name=wasserstein"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_recipe: Write) -> Path:
    """A folder with the runs small, wide (another width, seed and loss) and other (other data)."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = small_recipe(folder / "small.toml", RECIPE)
    for name, overrides in (("small", []), ("wide", WIDER), ("other", ["dataset.size=400"])):
        ganzoo.train(recipe, out=folder / name, device="cpu", quiet=True, overrides=overrides)
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """The same as a test's own."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


PROTOCOL = Protocol(
    metric="fid",
    options={},
    n_real=500,
    n_fake=500,
    extractor="digits (MNIST)",
    digest="sha256:1234567890abcdef",
    dataset="gaussians",
    checksum="sha256:feed",
    split="test",
)


def score(value: float, spread: float | None = 0.5, protocol: Protocol = PROTOCOL, **other: Any) -> Score:
    """A score as an evaluation would have recorded it; spread None: of a single draw."""
    facts: dict[str, Any] = {
        "name": "fid",
        "value": value,
        "draws": (value,) if spread is None else (value - 0.1, value, value + 0.1),
        "low": None if spread is None else value - spread,
        "high": None if spread is None else value + spread,
        "interval": "made up",
        "floor": 0.25,
        "better": "down",
        "protocol": protocol,
        "extractor_facts": {},
        "run": "a run",
        "step": 4,
        "ema": False,
        "seed": 0,
        "device": "cpu",
        "versions": {},
        "date": "2026-01-01T00:00:00+00:00",
    }
    return Score(**(facts | other))


def record(run: Path, *scores: Score) -> None:
    for one in scores:
        save_scores(run / "evaluations", [one])


def test_the_settings_that_differ_are_shown_and_no_others(runs: Path, capsys: Captured) -> None:
    comparison = ganzoo.compare([runs / "small", runs / "wide"])
    assert comparison.settings == {
        "generator.hidden": [[8], [16]],
        "loss.name": ["hinge", "wasserstein"],
        "train.seed": [0, 3],
    }
    assert exit_status(["compare", str(runs / "small"), str(runs / "wide")]) == 0
    said = capsys.readouterr().out
    assert "generator.hidden" in said
    assert "latent_dim" not in said
    assert all(word in said for word in ("gaussians", "cpu (", "time of training", "started"))


def test_a_setting_that_only_one_recipe_has_is_none_in_the_other(runs: Path) -> None:
    ganzoo.train(runs / "small.toml", out=runs / "averaged", device="cpu", quiet=True, overrides=["ema.decay=0.9"])
    found = ganzoo.compare([runs / "small", runs / "averaged"]).settings
    assert found["ema.decay"] == [None, 0.9]


def test_intervals_that_are_apart_name_the_better_run(runs: Path, capsys: Captured) -> None:
    record(runs / "small", score(5.0))
    record(runs / "wide", score(3.0))
    comparison = ganzoo.compare([runs / "small", runs / "wide"])
    (column,) = comparison.columns
    assert (column.best, column.ranks, column.not_told_apart) == (1, [(2, 2), (1, 1)], [])
    assert "fid (down is better): wide is better than every other." in comparison.notes
    assert exit_status(["compare", str(runs / "small"), str(runs / "wide")]) == 0
    lines = capsys.readouterr().out.splitlines()
    (first,) = [line.split() for line in lines if line.startswith("fid (a)")]
    assert first == ["fid", "(a)", "1", "wide", "3", "2.5", "to", "3.5", "0.25", "4"]
    assert any("500 generated against 500 of gaussians's test split" in line for line in lines)


def test_a_narrow_terminal_folds_names_and_cuts_no_number(
    runs: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    record(runs / "small", score(0.001087))
    record(runs / "wide", score(119.4))
    assert exit_status(["compare", str(runs / "small"), str(runs / "wide")]) == 0
    out = capsys.readouterr().out
    assert "0.001087" in out
    assert "119.4" in out
    assert "118.9 to 119.9" in out


def test_overlapping_intervals_have_no_winner(runs: Path) -> None:
    record(runs / "small", score(3.4))
    record(runs / "wide", score(3.0))
    comparison = ganzoo.compare([runs / "small", runs / "wide"])
    (column,) = comparison.columns
    assert (column.best, column.ranks, column.not_told_apart) == (None, [(1, 2), (1, 2)], [(0, 1)])
    assert any("small and wide are not told apart: their intervals overlap" in note for note in comparison.notes)


def test_places_go_from_the_best_to_the_worst_that_the_intervals_allow() -> None:
    column = Column((score(1.0, 0.5), score(1.8, 0.5), score(2.6, 0.5), None, score(9.0, 0.5)))
    assert column.ranks == [(1, 2), (1, 3), (2, 3), None, (4, 4)]
    up = Column(tuple(one and replace(one, better="up") for one in column.scores))
    assert up.ranks == [(3, 4), (2, 4), (2, 3), None, (1, 1)]
    assert up.best == 4


def test_one_draw_is_never_told_apart_and_the_command_draws_more(runs: Path) -> None:
    record(runs / "small", score(90.0, None))
    record(runs / "wide", score(3.0))
    record(runs / "small", score(9.0, None, name="kid", protocol=replace(PROTOCOL, metric="kid")))
    record(runs / "wide", score(1.0, None, name="kid", protocol=replace(PROTOCOL, metric="kid")))
    comparison = ganzoo.compare([runs / "small", runs / "wide"])
    assert comparison.columns[0].best is None
    assert "kid: nothing is told apart: a score of one draw has no interval." in comparison.notes
    assert any("fid (down is better): small and wide are not told apart" in note for note in comparison.notes)
    assert comparison.commands == [
        f"ganzoo evaluate {runs / 'small'} --metric fid --metric kid -n 500 --extractor digits",
        f"ganzoo evaluate {runs / 'wide'} --metric kid -n 500 --extractor digits",
    ]


def test_scores_of_two_protocols_are_never_in_one_column(runs: Path, capsys: Captured) -> None:
    record(runs / "small", score(3.0))
    record(runs / "wide", score(9.0, protocol=replace(PROTOCOL, n_fake=100, split="train")))
    comparison = ganzoo.compare([runs / "small", runs / "wide"])
    assert [[one is not None for one in column.scores] for column in comparison.columns] == [
        [True, False],
        [False, True],
    ]
    assert all(column.ranks == [None, None] for column in comparison.columns)
    (note,) = [note for note in comparison.notes if "not ranked" in note]
    assert "generated samples 500 and 100; the split test and train" in note
    assert comparison.commands == [f"ganzoo evaluate {runs / 'wide'} --metric fid -n 500 --extractor digits"]
    assert exit_status(["compare", str(runs / "small"), str(runs / "wide")]) == 0
    said = capsys.readouterr().out
    assert "is better than" not in said
    assert comparison.commands[0] in said


def test_of_many_runs_those_that_agree_are_named_together(runs: Path, capsys: Captured) -> None:
    for name in ("third", "fourth"):
        shutil.copytree(runs / "small", runs / name)
    assert exit_status(["compare", *(str(runs / name) for name in ("small", "wide", "third", "fourth"))]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["loss.name", '"hinge"', "small,", "third,", "fourth"] in lines
    assert ['"wasserstein"', "wide"] in lines
    assert ["status", "finished", "all"] in lines


def test_after_the_commands_that_it_says_everything_can_be_compared(runs: Path, capsys: Captured) -> None:
    """With the true metric: a published n for one, another n and an option of its own for the other."""
    small, wide = runs / "small", runs / "wide"
    own = ["--metric", "gaussian-modes", "--set", "gaussian-modes.deviations=2.0", "-n", "50", "--seed", "5"]
    assert exit_status(["evaluate", str(small), *own, "--draws", "4", "--split", "train"]) == 0
    assert exit_status(["evaluate", str(wide), "--metric", "gaussian-modes", "-n", "40"]) == 0
    comparison = ganzoo.compare([small, wide])
    assert len(comparison.columns) == 4
    (command,) = comparison.commands
    assert exit_status(shlex.split(command)[1:]) == 0
    after = ganzoo.compare([small, wide])
    assert after.commands == []
    both = [column for column in after.columns if all(column.scores)]
    assert [column.name for column in both] == ["modes", "high_quality"]
    assert {one.protocol.options["deviations"] for one in both[0].scores if one} == {2.0}
    assert {(one.seed, len(one.draws)) for one in both[0].scores if one} == {(5, 4)}
    capsys.readouterr()


def test_without_scores_it_says_how_to_get_them(runs: Path, capsys: Captured) -> None:
    assert exit_status(["compare", str(runs / "small"), str(runs / "wide")]) == 0
    said = capsys.readouterr().out
    assert "No scores are recorded." in said
    assert f"ganzoo evaluate {runs / 'wide'}" in said


def test_other_data_cannot_be_compared_by_any_command(runs: Path) -> None:
    record(runs / "small", score(3.0))
    comparison = ganzoo.compare([runs / "small", runs / "other"])
    assert comparison.commands == []
    assert any("learned from different data" in note for note in comparison.notes)


def test_an_extractor_that_two_machines_trained_asks_for_one_of_them(runs: Path) -> None:
    record(runs / "small", score(3.0))
    record(runs / "wide", score(9.0, protocol=replace(PROTOCOL, digest="sha256:another")))
    comparison = ganzoo.compare([runs / "small", runs / "wide"])
    assert any("evaluate all runs on one machine" in note for note in comparison.notes)
    assert [shlex.split(command)[2] for command in comparison.commands] == [str(runs / "small"), str(runs / "wide")]


def test_of_several_scores_the_newest_step_the_average_and_the_most_draws_stand_for_a_run(runs: Path) -> None:
    once = score(7.0, None, ema=True)
    record(runs / "small", score(1.0, step=2, ema=True), score(2.0), once, score(4.0, ema=True, seed=1))
    record(runs / "small", score(3.0, ema=True))
    record(runs / "wide", score(9.0))
    (column,) = ganzoo.compare([runs / "small", runs / "wide"]).columns
    assert [one and one.value for one in column.scores] == [3.0, 9.0]


def test_unequal_budgets_and_runs_that_are_not_at_their_end_are_said(runs: Path) -> None:
    facts = json.loads((runs / "wide" / "run.json").read_text())
    (runs / "wide" / "run.json").write_text(json.dumps(facts | {"step": 2, "status": "running"}))
    notes = ganzoo.compare([runs / "small", runs / "wide"]).notes
    assert "The runs were not trained for the same number of steps: small 4, wide 2." in notes
    assert "Not at their end: wide." in notes


def test_runs_of_one_name_are_told_apart_by_their_folders(runs: Path) -> None:
    shutil.copytree(runs / "small", runs / "again" / "small")
    assert ganzoo.compare([runs / "small", runs / "again" / "small"]).labels == [
        str(runs / "small"),
        str(runs / "again" / "small"),
    ]


def test_json_is_all_that_is_printed_and_says_the_same(runs: Path, capsys: Captured) -> None:
    record(runs / "small", score(5.0))
    record(runs / "wide", score(3.0))
    assert exit_status(["compare", str(runs / "small"), str(runs / "wide"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(ganzoo.compare([runs / "small", runs / "wide"]).to_json()))
    assert [run["label"] for run in printed["runs"]] == ["small", "wide"]
    (column,) = printed["columns"]
    assert (column["best"], column["runs"]["small"]["place"]) == ("wide", [2, 2])
    assert printed["protocols"][column["protocol"]]["n_fake"] == 500


def test_the_page_shows_curves_over_each_other_and_samples_side_by_side(runs: Path, capsys: Captured) -> None:
    record(runs / "small", score(5.0))
    record(runs / "wide", score(3.0))
    shutil.rmtree(runs / "wide" / "samples")  # as where a recipe asks for no grids: samples are drawn for the page
    (runs / "wide" / "samples").mkdir()
    out = runs / "page.html"
    assert exit_status(["compare", str(runs / "small"), str(runs / "wide"), "-o", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    seen = Page(out.read_text())
    assert seen.pictures == ["samples of small", "samples of wide"]
    assert seen.links == []
    for said in ("generator.hidden", "[16]", "2.5 to 3.5", "real data 0.25", "wide is better than every other"):
        assert said in seen.words
    drawings = out.read_text().split("<svg")[1:]
    assert len(drawings) >= 4
    both = [drawing for drawing in drawings if ">small<" in drawing and ">wide<" in drawing]
    assert len(both) >= 4  # the distance that one loss logs has one line
    assert "Loss of the generator" in seen.words


def test_a_fallback_is_said_loudly(runs: Path, capsys: Captured) -> None:
    facts = json.loads((runs / "wide" / "run.json").read_text())
    facts["dataset"]["fallback"] = {"instead_of": "mnist", "reason": "far away"}
    (runs / "wide" / "run.json").write_text(json.dumps(facts))
    assert exit_status(["compare", str(runs / "small"), str(runs / "wide"), "-o", str(runs / "page.html")]) == 0
    assert "wide: NOT MNIST" in capsys.readouterr().out
    assert "wide: NOT MNIST" in Page((runs / "page.html").read_text()).words


def damage(file: str, content: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / file).parent.mkdir(exist_ok=True)
        (run / file).write_text(content)

    return change


@pytest.mark.parametrize(
    ("change", "names", "said"),
    [
        (None, ["small"], "two runs or more"),
        (None, ["small", "small"], "was given twice"),
        (None, ["small", "nowhere"], "is not a run"),
        (None, ["small", "small.toml"], "is not a run"),
        (
            damage("evaluations/step-00000004-fid-0123456789ab-seed-0-draws-1-raw.json", "{}"),
            ["small", "wide"],
            "cannot be read as scores",
        ),
        (damage("run.json", "{"), ["small", "wide"], "run.json: cannot be read"),
        (damage("run.json", "{}"), ["small", "wide"], "damaged"),
        (damage("run.json", '{"step": 1, "total_steps": 1}'), ["small", "wide"], "damaged"),
        (damage("recipe.toml", "="), ["small", "wide"], "recipe.toml: cannot be read"),
    ],
)
def test_bad_input_is_one_message_and_status_2(
    runs: Path, capsys: Captured, change: Callable[[Path], None] | None, names: list[str], said: str
) -> None:
    if change:
        change(runs / "wide")
    assert exit_status(["compare", *(str(runs / name) for name in names)]) == 2
    streams = capsys.readouterr()
    assert said in streams.err
    assert streams.out == ""
    assert "Traceback" not in streams.err


@pytest.mark.parametrize("out", ["page.png", "nowhere/page.html", "."])
def test_a_page_that_is_none_is_refused_before_anything_is_done(runs: Path, capsys: Captured, out: str) -> None:
    assert exit_status(["compare", str(runs / "small"), str(runs / "wide"), "-o", str(runs / out)]) == 2
    streams = capsys.readouterr()
    assert "HTML file" in streams.err
    assert streams.out == ""
