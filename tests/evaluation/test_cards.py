"""Model cards: made of real runs, renewed in place, and no published number without its source."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.evaluation.cards import make_card, read_blocks, read_paper_results, replace_block
from ganzoo.plugins import zoo

Captured = pytest.CaptureFixture[str]

MODELS = Path(__file__).parents[2] / "docs" / "models"

Write = Callable[[Path, str], Path]

RECIPE = """
description = "a | small <b>GAN</b>"
[generator]
latent_dim = 2
hidden = [8]
[discriminator]
hidden = [8]
[loss]
name = "wasserstein"
[[regularizer]]
name = "gradient-penalty"
[train]
log_every = 2
sample_every = 2
samples = 9
"""

KNOWLEDGE = """
[small]
paper = "arXiv:1701.07875"
why = "They counted on another ring."

[[small.published]]
score = "modes"
value = 7.6
spread = 0.5
protocol = "8 modes on a ring, 2,500 samples"
source = "arXiv:1705.07761, Table 1"

[[small.published]]
score = "fid"
value = 3.0
protocol = "CIFAR-10"
source = "arXiv:1706.08500"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_recipe: Write) -> Path:
    """A folder with runs of one recipe and the seeds 0, 1, 2, scored, and one of another width."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = small_recipe(folder / "small.toml", RECIPE)
    for seed in range(3):
        run = ganzoo.train(recipe, out=folder / f"seed-{seed}", device="cpu", quiet=True, seed=seed)
        ganzoo.evaluate(run, metrics=["gaussian-modes"], n=400, draws=2, device="cpu")
    wide = ["generator.hidden=[16]", "train.seed=5"]
    ganzoo.train(recipe, out=folder / "wide", device="cpu", quiet=True, overrides=wide)
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """The same as a test's own."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def seeds(folder: Path) -> list[str]:
    return [str(folder / f"seed-{seed}") for seed in range(3)]


def rows(text: str) -> dict[str, list[str]]:
    """The tables' rows by their first cell, without backticks."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_a_card_says_what_ran_and_what_was_measured(runs: Path, capsys: Captured) -> None:
    assert exit_status(["card", str(runs / "seed-0")]) == 0
    said = rows(capsys.readouterr().out)
    assert (
        "generator `mlp` (ganzoo-vanilla 0.1.0, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661))" in said["model"][0]
    )
    assert "regularizer `gradient-penalty`" in said["model"][0]
    assert said["budget"] == ["4 steps of 64 points a draw"]
    assert said["machine"][0].startswith("CPU (")
    run = ganzoo.load(runs / "seed-0")
    modes, high = run.scores
    assert said["modes"][:3] == [f"{modes.value:.4g}", f"{modes.low:.4g} to {modes.high:.4g}", f"{modes.floor:.4g}"]
    assert said["high_quality"][0] == f"{high.value:.4g}"
    assert said["modes"][-1] == "a"
    assert run.facts["started"][:10] in said["date"]
    assert run.facts["dataset"]["checksum"] in said["data checksum"][0]


def test_over_several_seeds_it_has_their_mean_and_spread(runs: Path, capsys: Captured) -> None:
    assert exit_status(["card", *reversed(seeds(runs))]) == 0
    text = capsys.readouterr().out
    said = rows(text)
    values = [ganzoo.load(run).scores[1].value for run in seeds(runs)]
    mean, spread, each = said["high_quality"][:3]
    assert (mean, spread) == (f"{fmean(values):.4g}", f"{stdev(values):.2g}")
    assert each == ", ".join(f"{value:.4g}" for value in values)
    assert said["runs"] == ["3, of the seeds 0, 1, 2"]
    assert "standard deviation over the runs" in text
    assert "400 generated against" in text
    assert "scored: step 4, the weights themselves, seed 0, 2 draws" in text


def test_a_run_that_lacks_a_score_is_said_to(runs: Path, capsys: Captured) -> None:
    shutil.rmtree(runs / "seed-1" / "evaluations")
    assert exit_status(["card", *seeds(runs)]) == 0
    assert "not measured" in rows(capsys.readouterr().out)["modes"][2].split(", ")[1]


def test_without_scores_nothing_is_claimed(runs: Path, capsys: Captured) -> None:
    assert exit_status(["card", str(runs / "wide")]) == 0
    assert "the picture is all that is claimed" in capsys.readouterr().out


def test_the_settings_of_a_card_are_a_recipe_that_runs(runs: Path, tmp_path: Path) -> None:
    text = make_card([runs / "seed-0"]).markdown()
    (settings,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "again.toml").write_text(settings)
    again = ganzoo.train(tmp_path / "again.toml", out=tmp_path / "again", device="cpu", quiet=True)
    assert again.recipe == ganzoo.load(runs / "seed-0").recipe


def test_what_was_changed_in_an_installed_recipe_is_said(runs: Path, capsys: Captured) -> None:
    shorter = ["train.steps=3", "generator.hidden=[8]"]
    ganzoo.train("wgan_gp_gaussians", out=runs / "shorter", device="cpu", quiet=True, overrides=shorter, seed=4)
    assert exit_status(["card", str(runs / "shorter"), "-o", str(runs / "card.md")]) == 0
    changed = rows((runs / "card.md").read_text())["changed in `wgan_gp_gaussians"][0].replace("\\", "")
    assert changed == "generator.hidden: [128, 128, 128] -> [8]; train.steps: 3000 -> 3"
    assert "changed in" not in make_card([runs / "seed-0"]).markdown()
    capsys.readouterr()


def test_what_a_recipe_says_is_no_markup(runs: Path) -> None:
    assert r"a \| small \<b>GAN\</b>" in make_card([runs / "seed-0"]).markdown().partition("<details>")[0]


def test_a_part_of_a_page_is_renewed_and_the_rest_stays(runs: Path, capsys: Captured) -> None:
    page = runs / "small.md"
    page.write_text("# Small\nBy hand.\n")
    into = ["--into", str(page)]
    assert exit_status(["card", str(runs / "seed-0"), *into]) == 0
    first = page.read_text()
    assert first.startswith("# Small\nBy hand.\n\n<!-- ganzoo card small: begin")
    assert (runs / "small.png").read_bytes() == (runs / "seed-0" / "samples" / "step-00000004.png").read_bytes()
    assert "](small.png)" in first
    page.write_text(first + "\nMore by hand.\n")
    assert exit_status(["card", str(runs / "wide"), *into, "--name", "wide"]) == 0
    assert exit_status(["card", *seeds(runs), *into]) == 0
    text = page.read_text()
    assert list(read_blocks(text)) == ["small", "wide"]
    assert "3, of the seeds 0, 1, 2" in read_blocks(text)["small"]
    assert (
        text.index("By hand.") < text.index("card small: end") < text.index("More by hand.") < text.index("card wide")
    )
    assert exit_status(["card", *seeds(runs), *into]) == 0
    assert page.read_text() == text
    capsys.readouterr()


def test_a_recipe_without_grids_gets_a_picture_drawn_for_it(runs: Path, capsys: Captured) -> None:
    shutil.rmtree(runs / "seed-0" / "samples")
    assert exit_status(["card", str(runs / "seed-0"), "-o", str(runs / "card.md")]) == 0
    assert (runs / "small.png").read_bytes().startswith(b"\x89PNG")
    assert list(read_blocks((runs / "card.md").read_text())) == ["small"]
    capsys.readouterr()


def test_the_papers_number_stands_beside_ours_with_its_source(runs: Path, capsys: Captured) -> None:
    (runs / "card.papers.toml").write_text(KNOWLEDGE)
    assert exit_status(["card", str(runs / "seed-0"), "-o", str(runs / "card.md")]) == 0
    text = (runs / "card.md").read_text()
    published = rows(text.partition("| published |")[2])
    ours = ganzoo.load(runs / "seed-0").scores[0].value
    assert published["modes"][:2] == ["7.6 ± 0.5", f"{ours:.4g} (a)"]
    assert published["modes"][-1].startswith("[arXiv:1705.07761](https://arxiv.org/abs/1705.07761), Table 1")
    assert published["fid"][1] == "not measured"
    assert "Why they differ: They counted on another ring." in text
    capsys.readouterr()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('source = "arXiv:1706.08500"', "", "small.published[1].source"),
        ('source = "arXiv:1706.08500"', 'source = ""', "small.published[1].source"),
        ('protocol = "CIFAR-10"', "", "small.published[1].protocol"),
        ('why = "They counted on another ring."', "", "small.why is missing"),
        ("value = 3.0", "value = 'three'", "small.published[1].value should be float"),
        ("spread = 0.5", "sprad = 0.5", "Did you mean spread"),
        ("paper = ", "papr = ", "Did you mean paper"),
        ("[small]", "loose = 1\n[small]", "loose should be a table"),
        ("[[small.published]]", "[small.published]", "array of tables"),
    ],
)
def test_a_number_without_its_source_is_refused_before_anything_is_written(
    runs: Path, capsys: Captured, old: str, new: str, said: str
) -> None:
    text = KNOWLEDGE if old != "[[small.published]]" else KNOWLEDGE.rpartition("[[small")[0]
    assert old in text
    (runs / "knowledge.toml").write_text(text.replace(old, new))
    command = ["card", str(runs / "seed-0"), "-o", str(runs / "card.md"), "--paper", str(runs / "knowledge.toml")]
    assert exit_status(command) == 2
    streams = capsys.readouterr()
    assert said in streams.err
    assert "knowledge.toml" in streams.err
    assert "Traceback" not in streams.err
    assert not (runs / "card.md").exists()
    assert not (runs / "small.png").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["seed-0", "wide"], "generator.hidden: [8] -> [16]"),
        (["seed-0", "seed-0"], "runs of one seed"),
        (["nowhere"], "is not a run"),
        (["seed-0", "--name", "a b"], 'called "a b"'),
        (["seed-0", "-o", "x.md", "--into", "y.md"], "two places"),
        (["seed-0", "-o", "x.html"], "Markdown file"),
        (["seed-0", "-o", "nowhere/x.md"], "folder that exists"),
        (["seed-0", "--into", "half.md"], "half.md: line 2"),
    ],
)
def test_bad_input_is_one_message_and_status_2(
    runs: Path, capsys: Captured, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    Path("half.md").write_text("# Half\n<!-- ganzoo card small: begin -->\n")
    assert exit_status(["card", *arguments]) == 2
    streams = capsys.readouterr()
    assert said in streams.err
    assert streams.out == ""
    assert "Traceback" not in streams.err


def damaged(run: Path) -> None:
    facts = json.loads((run / "run.json").read_text())
    del facts["parameters"]
    (run / "run.json").write_text(json.dumps(facts))


def without_checkpoints(run: Path) -> None:
    shutil.rmtree(run / "samples")
    shutil.rmtree(run / "checkpoints")


@pytest.mark.parametrize(("harm", "said"), [(damaged, "parameters"), (without_checkpoints, "no checkpoint")])
def test_a_damaged_run_makes_no_card(runs: Path, capsys: Captured, harm: Callable[[Path], None], said: str) -> None:
    harm(runs / "seed-0")
    assert exit_status(["card", str(runs / "seed-0"), "-o", str(runs / "card.md")]) == 2
    assert said in capsys.readouterr().err
    assert not (runs / "card.md").exists()


@pytest.mark.parametrize(
    "page",
    [
        "<!-- ganzoo card a: end -->\n<!-- ganzoo card a: begin -->\n",
        "<!-- ganzoo card a: begin -->\n<!-- ganzoo card b: begin -->\n<!-- ganzoo card b: end -->\n",
        "<!-- ganzoo card a: begin -->\n<!-- ganzoo card a: end -->\n" * 2,
    ],
)
def test_comments_that_are_no_pairs_are_refused(page: str) -> None:
    with pytest.raises(GanzooError, match='"ganzoo card a'):
        replace_block(page, "a", "content")


def wrong_with(text: str, folder: Path) -> list[str]:
    """What a reader would miss in a card: the picture, a protocol, a number."""
    found = []
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        found += [] if (folder / picture).is_file() else [f"{picture} is missing"]
    letters = set(re.findall(r"^- ([a-z]\d*): .*generated against", text, re.MULTILINE))
    scores = rows(text.partition("| protocol |")[2].partition("\n\n")[0])
    scores.pop("---", None)
    for name, cells in scores.items():
        found += [] if cells[-1] in letters else [f"{name} has no protocol"]
        found += [] if re.fullmatch(r"-?\d[\d.e+-]*", cells[0]) else [f"{name} is no number"]
    told = rows(text)
    needed = ("model", "recipe", "data", "runs", "budget", "time of training", "machine", "versions", "date")
    found += [f"{name} is missing" for name in needed if not told.get(name, [""])[0]]
    found += [] if scores or "all that is claimed" in text else ["there are no scores, and it is not said"]
    return found


def test_what_would_be_missed_in_a_card_is_found(runs: Path) -> None:
    text = make_card([runs / "seed-0"]).markdown("small.png")
    assert wrong_with(text, runs) == ["small.png is missing"]
    (runs / "small.png").touch()
    assert wrong_with(text, runs) == []
    assert wrong_with(re.sub(r"(?m)^- a: .*$", "", text), runs) == [
        "modes has no protocol",
        "high_quality has no protocol",
    ]
    assert wrong_with(re.sub(r"(?m)^\| machine.*$", "", text), runs) == ["machine is missing"]


@pytest.mark.parametrize("page", sorted(MODELS.glob("*.md")), ids=lambda page: page.stem)
def test_the_cards_in_the_docs_are_whole(page: Path) -> None:
    for name, text in read_blocks(page.read_text(encoding="utf-8")).items():
        assert wrong_with(text, page.parent) == [], name


@pytest.mark.parametrize("file", sorted(MODELS.glob("*.papers.toml")), ids=lambda file: file.stem)
def test_what_the_docs_know_of_papers_has_sources_and_belongs_to_a_card(file: Path) -> None:
    recipes = {entry.name for entry in zoo().entries("recipe")}
    names = re.findall(r"^\[([\w.+-]+)\]$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert names
    assert set(names) <= recipes
    for name in names:
        assert read_paper_results(file, name).published
    assert (file.parent / file.name.replace(".papers.toml", ".md")).is_file()


def test_a_recipe_that_the_file_does_not_know_has_no_published_number(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(KNOWLEDGE)
    assert read_paper_results(tmp_path / "small.toml", "other").published == ()
    with pytest.raises(RecipeError):
        read_paper_results(tmp_path / "nowhere.toml", "small")
