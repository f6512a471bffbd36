"""What a suite's file may say, and what one is told where it says something else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from ganzoo.cli import exit_status
from ganzoo.errors import RecipeError
from ganzoo.evaluation.suites.lookup import installed
from ganzoo.evaluation.suites.reading import read_suite, select_entries
from ganzoo.evaluation.suites.suite import ENDLESS

GOOD = """\
description = "two ways to play the same points"
paper = "arXiv:1711.10337"
seeds = [0, 3]

[budget]
steps = 60

[set.train]
log_every = 20
batch_size = 32

[score]
metrics = ["kid", { name = "gaussian-modes", deviations = 2.0 }]
n = 200
split = "test"
draws = 2
seed = 5
ema = false

[[entry]]
name = "plain"
recipe = "wgan_gp_gaussians"

[[entry]]
name = "penalised"
recipe = "wgan_gp_gaussians"
steps = 40
[entry.set.generator]
hidden = [16]
[entry.set.loss]
name = "relativistic"
[[entry.set.regularizer]]
name = "r1"
weight = 0.5
[[entry.set.regularizer]]
name = "r2"
"""


def write(tmp_path: Path, text: str = GOOD) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def line(text: str, of: str) -> int:
    """The line on which a text stands."""
    return text[: text.index(of)].count("\n") + 1


def test_an_entry_is_its_recipe_with_what_the_suite_and_then_the_entry_set(tmp_path: Path) -> None:
    plain, penalised = read_suite(write(tmp_path)).entries
    assert (plain.name, plain.source) == ("plain", "wgan_gp_gaussians")
    assert (plain.recipe.train.steps, penalised.recipe.train.steps) == (60, 40)
    assert {plain.recipe.train.batch_size, penalised.recipe.train.batch_size} == {32}
    assert [rule.entry.name for rule in plain.recipe.regularizers] == ["gradient-penalty"]
    assert [(rule.entry.name, rule.options["weight"]) for rule in penalised.recipe.regularizers] == [
        ("r1", 0.5),
        ("r2", 10.0),
    ]
    assert penalised.recipe.loss is not None
    assert penalised.recipe.loss.entry.name == "relativistic"
    assert penalised.values(3)["train"]["seed"] == 3
    assert penalised.values(3)["generator"]["hidden"] == [16]


def test_the_scores_are_asked_for_as_a_recipe_would_have_it(tmp_path: Path) -> None:
    suite = read_suite(write(tmp_path))
    assert suite.seeds == (0, 3)
    assert suite.scoring.written["metrics"][1] == {"name": "gaussian-modes", "deviations": 2.0}
    assert (suite.scoring.n, suite.scoring.draws, suite.scoring.seed, suite.scoring.ema) == (200, 2, 5, False)


def test_a_recipe_lies_beside_the_suite_or_is_an_installed_one(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('extends = "wgan_gp_gaussians"\ndescription = "my own"\n')
    suite = read_suite(write(tmp_path, GOOD.replace('"wgan_gp_gaussians"', '"own.toml"', 1)))
    assert suite.entries[0].recipe.description == "my own"
    nameless = read_suite(write(tmp_path, GOOD.replace('name = "plain"\n', "")))
    assert nameless.entries[0].name == "wgan_gp_gaussians"


def test_a_budget_is_steps_or_seconds_or_the_recipes_own(tmp_path: Path) -> None:
    without = GOOD.replace("[budget]\nsteps = 60\n", "").replace("steps = 40\n", "")
    assert read_suite(write(tmp_path, without)).entries[0].recipe.train.steps == 3000
    timed = GOOD.replace("steps = 60", "seconds = 2.5").replace("steps = 40\n", "")
    train = read_suite(write(tmp_path, timed)).entries[0].recipe.train
    assert train.steps == ENDLESS
    assert train.stop is not None
    assert train.stop.seconds == 2.5


def test_flags_take_the_place_of_every_budget(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert {entry.recipe.train.steps for entry in read_suite(path, steps=7).entries} == {7}
    timed = read_suite(path, seconds=9.0).entries[1].recipe.train
    assert timed.stop is not None
    assert (timed.steps, timed.stop.seconds) == (ENDLESS, 9.0)


WRONG = [
    ("seeds = [0, 3]", "sedes = [0, 3]", "Did you mean seeds?"),
    ("seeds = [0, 3]", "", "Write seeds = [0, 1, 2]"),
    ("seeds = [0, 3]", 'seeds = "0"', "seeds should be list of int"),
    ("seeds = [0, 3]", "seeds = []", "seeds should be"),
    ("seeds = [0, 3]", "seeds = [0, -1]", "seeds should be"),
    ("seeds = [0, 3]", "seeds = [2, 2]", "seeds should be different ones"),
    ("seeds = [0, 3]", "seeds = 3", "Write seeds = [3]"),
    ('description = "two', "description = 3 # ", "description should be text"),
    ("[budget]", "[bugdet]", "Did you mean budget?"),
    ("steps = 60", "setps = 60", "Did you mean steps?"),
    ("steps = 60", "steps = 0", "budget.steps should be int, at least 1"),
    ("steps = 60", "steps = 60\nseconds = 3.0", "two budgets"),
    ("steps = 60", "seconds = -1.0", "budget.seconds should be float, above 0"),
    ("steps = 60", "seconds = 60.0", "entry[1].steps and budget.seconds are two budgets"),
    ("[score]", "[scores]", "there is no [score] table"),
    ('metrics = ["kid",', 'metrics = ["kidd",', "Did you mean kid"),
    ('metrics = ["kid",', "metrics = [3,", "score.metrics should be a list"),
    ('metrics = ["kid",', 'metrics = ["gaussian-modes",', 'score.metrics[1] gives "modes"'),
    ("batch_size = 32", "seed = 4", "train.seed is what the suite's seeds are"),
    ("deviations = 2.0", "deviation = 2.0", "Did you mean deviations?"),
    ("deviations = 2.0", "deviations = true", "score.metrics[1].deviations should be float"),
    ("n = 200", "n = 1", "score.n should be int, at least 2"),
    ('split = "test"', 'split = "tset"', 'Did you mean test?'),
    ("draws = 2", 'draws = "2"', "Write draws = 2"),
    ("draws = 2", 'draws = 2\nextractor = "digit"', "Did you mean digits"),
    ("ema = false", "ema = 0", "score.ema should be"),
    ("[[entry]]\nname = \"plain\"", "[entry]\nname = \"plain\"", "this is not TOML"),
    ('name = "plain"', 'name = "a/b"', "entry[0].name should be letters"),
    ('name = "plain"', 'name = ".."', "entry[0].name should be letters"),
    ('name = "plain"', 'name = "penalised"', "is the name of an entry above"),
    ('name = "plain"', "name = 4", "entry[0].name should be text"),
    ('name = "plain"', 'nmae = "plain"', "Did you mean name?"),
    ('recipe = "wgan_gp_gaussians"', 'recipe = "wgan_gp_gausians"', "Did you mean wgan_gp_gaussians"),
    ('recipe = "wgan_gp_gaussians"', 'recipe = "gone.toml"', "there is no such file"),
    ('recipe = "wgan_gp_gaussians"', "recipe = 1", "entry[0].recipe should be"),
    ('recipe = "wgan_gp_gaussians"', "", "entry[0] has no recipe"),
    ("steps = 40", "steps = true", "entry[1].steps should be int"),
    ("hidden = [16]", "hiden = [16]", "Did you mean hidden?"),
    ("hidden = [16]", "hidden = [0]", "generator.hidden should be"),
    ("batch_size = 32", "batchsize = 32", "Did you mean batch_size?"),
    ('name = "r2"', 'name = "r3"', "There are: gradient-penalty, r1, r2"),
    ("[entry.set.generator]", "[entry.set]\nextends = \"vanilla_mnist\"\n[entry.set.generator]", "extends belongs"),
    ("[entry.set.generator]", "[entry.sets.generator]", "Did you mean set?"),
    ("[set.train]\nlog_every = 20\nbatch_size = 32", "set = 3", "set should be a table"),
]  # fmt: skip


ELSEWHERE = {
    "Write seeds = [0, 1, 2]": "",  # what is missing has no line
    "there is no [score] table": "",
    "entry[0] has no recipe": "[[entry]]",
    "is the name of an entry above": '[[entry]]\nname = "penalised"\nrecipe = "wgan_gp_gaussians"\nsteps',
    "entry[1].steps and budget.seconds are two budgets": "steps = 40",
    "extends belongs": "extends =",
    "this is not TOML": "[[entry]]",
    "set should be a table": "set = 3",
}
"""What is said -> the text on whose line it is said, where that is not the last line of what was written wrongly."""


@pytest.mark.parametrize(("old", "new", "said"), WRONG, ids=[f"{new[:40]!r}" for _, new, _ in WRONG])
def test_a_mistake_is_told_with_its_line_and_what_to_write_instead(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    at_the_top = new.startswith("set = ")  # a key below a table would be the table's
    text = f"{new}\n{GOOD.replace(old, '', 1)}" if at_the_top else GOOD.replace(old, new, 1)
    path = write(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        read_suite(path)
    told = [problem for problem in caught.value.problems if said in str(problem)]
    assert told, str(caught.value)
    assert all(problem.where.startswith(str(path)) for problem in caught.value.problems)
    wrong = ELSEWHERE.get(said, new.splitlines()[-1] if new else "")
    where = {f"{path}:{line(text, wrong)}"} if wrong else {str(path), f"{path}:1"}
    assert {problem.where for problem in told} & where, str(caught.value)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("n = 200", "n = 1").replace("hidden = [16]", "hiden = [16]").replace("steps = 60", "steps = 0")
    with pytest.raises(RecipeError) as caught:
        read_suite(write(tmp_path, text))
    lines = [int(problem.where.rpartition(":")[2]) for problem in caught.value.problems]
    assert lines == [line(text, "steps = 0"), line(text, "n = 1"), line(text, "hiden = [16]")]


def test_a_mistake_in_a_recipe_is_told_from_where_the_suite_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('extends = "wgan_gp_gaussians"\n[generator]\nhiden = [3]\n')
    text = GOOD.replace('"wgan_gp_gaussians"', '"own.toml"', 1)
    with pytest.raises(RecipeError) as caught:
        read_suite(write(tmp_path, text))
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path / 'mine.toml'}:{line(text, 'own.toml')}"
    assert "own.toml:3: generator.hiden is not an option" in problem.what


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\xff\xfe", b"a = [", b"[[entry]]\n" * 3, b"x" * (1 << 21)])
def test_what_is_no_suite_ends_in_one_message_and_status_2(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "noise.toml"
    path.write_bytes(content)
    assert exit_status(["benchmark", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert "noise.toml" in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "out").exists()


def test_an_unknown_suite_is_told_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(["benchmark", "mnist-smal"]) == 2
    assert "Did you mean mnist-small?" in capsys.readouterr().err


def test_an_unknown_entry_is_told_the_nearest_one(tmp_path: Path) -> None:
    suite = read_suite(write(tmp_path))
    assert [entry.name for entry in select_entries(suite, ["plain"])] == ["plain"]
    with pytest.raises(RecipeError, match="Did you mean penalised"):
        select_entries(suite, ["penalized"])


@pytest.mark.parametrize("name", sorted(installed()))
def test_a_shipped_suite_can_be_read_and_every_entry_learns_from_real_names(name: str) -> None:
    suite = read_suite(name)
    assert len(suite.seeds) >= 3
    assert len(suite.entries) >= 2
    assert all(entry.recipe.train.steps for entry in suite.entries)


def test_the_suites_are_in_the_wheel_beside_the_code_that_finds_them(ganzoo_wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(ganzoo_wheel).namelist() if name.endswith(".toml")}
    assert shipped >= {f"ganzoo/suites/{name}.toml" for name in installed()} >= {"ganzoo/suites/mnist-small.toml"}
