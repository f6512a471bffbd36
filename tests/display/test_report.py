"""A run's report: one page that needs nothing else, and says what the run was."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.display.report import page
from ganzoo.display.report.curves import curves
from ganzoo.display.report.page import MAX_GRIDS

Write = Callable[[Path, str], Path]

RECIPE = """
description = "a <b>bold</b> & small GAN"
[generator]
latent_dim = 2
hidden = [8]
[discriminator]
hidden = [8]
[loss]
name = "hinge"
[train]
steps = 20
log_every = 5
sample_every = 2
"""


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the text outside of tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.messages = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.messages += data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small_recipe: Write) -> ganzoo.Run:
    folder = tmp_path_factory.mktemp("report")
    recipe = small_recipe(folder / "small.toml", RECIPE)
    return ganzoo.train(recipe, out=folder / "run", device="cpu", quiet=True)


def test_the_page_says_what_ran_and_needs_no_other_file(run: ganzoo.Run) -> None:
    seen = Page(page(run))
    for said in ("a <b>bold</b> & small GAN", "finished at step 20 of 20", run.facts["dataset"]["checksum"], "hinge"):
        assert said in seen.messages
    assert "b" not in {tag for tag, _ in seen.tags}  # what a recipe says is text, not markup
    links = [value for _, attributes in seen.tags for name, value in attributes.items() if name in ("src", "href")]
    assert [link for link in links if not str(link).startswith(("data:image/png;base64,", "#"))] == []
    assert "script" not in {tag for tag, _ in seen.tags}


def test_it_shows_a_few_grids_the_first_and_the_last_among_them(run: ganzoo.Run) -> None:
    shown = [attributes["alt"] for tag, attributes in Page(page(run)).tags if tag == "img"]
    assert len(shown) == MAX_GRIDS  # of eleven
    assert (shown[0], shown[-1]) == ("the grid of step 0", "the grid of step 20")


def test_it_draws_the_losses_and_the_discriminators_say(run: ganzoo.Run) -> None:
    drawn = curves(run.metrics)
    assert [curve.title for curve in drawn] == [
        "Losses",
        "What the discriminator says",
        "Norms of the players' gradients",
    ]
    assert all(curve.svg.startswith("<svg") for curve in drawn)
    assert {"discriminator", "generator"} <= set(re.findall(r"<text[^>]*>([^<]+)</text>", drawn[0].svg))
    assert page(run).count("<svg") == 3


def test_the_same_run_makes_the_same_page(run: ganzoo.Run) -> None:
    assert page(run) == page(ganzoo.load(run.directory))


def test_what_a_game_logs_besides_gets_its_own_drawing() -> None:
    rows = [{"step": step, "epoch": 0.1, "seconds": 1.0, "samples_per_second": 9.0, "distance": 2.0} for step in (1, 2)]
    assert [curve.title for curve in curves(rows)] == ["distance"]


def test_scores_stand_on_the_page_with_interval_real_data_and_protocol(run: ganzoo.Run, tmp_path: Path) -> None:
    assert "Scores" not in Page(page(run)).messages
    scored = ganzoo.load(shutil.copytree(run.directory, tmp_path / "scored"))
    for n in (50, 60):
        ganzoo.evaluate(scored, metrics=["gaussian-modes"], n=n, device="cpu", draws=2, seed=7)
    seen = Page(page(scored)).messages
    assert "Scores" in seen
    for score in scored.scores:
        assert f"{score.value:.4g}" in seen
        assert f"{score.low:.4g} to {score.high:.4g}" in seen
        assert str(score.protocol) in seen
    assert "step 20, the weights themselves, seed 7, 2 draws" in seen
    assert "Scores of two protocols cannot be compared" in seen


def test_a_run_without_rows_has_a_page_without_curves(tmp_path: Path, small_recipe: Write) -> None:
    recipe = small_recipe(tmp_path / "small.toml", "[train]\nlog_every = 0\n")
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True, steps=1)
    (run.directory / "metrics.jsonl").write_text("")
    assert "<svg" not in page(ganzoo.load(run.directory))


def test_a_fallback_is_said_loudly(tmp_path: Path, small_recipe: Write) -> None:
    data = '[dataset]\nname = "mnist"\nfallback = {name = "gaussians", size = 99}\n'
    recipe = small_recipe(tmp_path / "other.toml", data)
    empty = tmp_path / "nothing"
    empty.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganzoo.datasets.mnist.download", refuse)
        run = ganzoo.train(recipe, out=tmp_path / "run", data_root=empty, device="cpu", quiet=True)
    seen = Page(page(run))
    assert ("div", {"class": "loud", "role": "alert"}) in seen.tags
    assert 'NOT MNIST: this run trains on the fallback data set "gaussians".' in seen.messages


def refuse(*_: object, name: str, remedy: str) -> None:
    raise ganzoo.errors.DatasetUnavailable(f"{name} is far away.", remedy=remedy)


def test_the_command_writes_into_the_run_or_where_it_is_told(run: ganzoo.Run, tmp_path: Path) -> None:
    assert exit_status(["report", str(run.directory)]) == 0
    assert exit_status(["report", str(run.directory), "-o", str(tmp_path / "page.html")]) == 0
    assert (run.directory / "report.html").read_bytes() == (tmp_path / "page.html").read_bytes()


@pytest.mark.parametrize("out", ["nowhere/page.html", "."])
def test_a_place_that_cannot_be_written_is_told(
    run: ganzoo.Run, tmp_path: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status(["report", str(run.directory), "-o", str(tmp_path / out)]) == 2
    assert "Name a file" in capsys.readouterr().err


def test_what_is_no_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(["report", str(tmp_path)]) == 2
    assert "is not a run" in capsys.readouterr().err
