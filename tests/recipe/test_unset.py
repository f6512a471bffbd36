"""What is taken out of a recipe, by its child or from outside, and how numbers reach into its arrays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import RecipeError
from ganzoo.recipe import read_recipe, recipe_toml
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.saved import differences

Captured = pytest.CaptureFixture[str]

PARENT = """\
extends = "points.toml"
[[regularizer]]
name = "r1"
weight = 1.0
[[regularizer]]
name = "r2"
weight = 2.0
[[regularizer]]
name = "weight-clip"
limit = 3.0
[ema]
decay = 0.5
[train]
keep = 7
[train.stop]
seconds = 60.0
"""


@pytest.fixture
def parent(tmp_path: Path, small_recipe: Callable[[Path, str], Path]) -> Path:
    path = small_recipe(tmp_path / "parent.toml", "")
    path.write_text(PARENT)
    return path


def child(parent: Path, text: str) -> Path:
    path = parent.parent / "child.toml"
    path.write_text(f'extends = "parent.toml"\n{text}')
    return path


def told(path: Path, **more: object) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, **more)  # type: ignore[arg-type]
    return str(caught.value).replace(f"{path.parent}/", "")


def regularizers(recipe: Recipe) -> dict[str, object]:
    return {
        choice.entry.name: choice.options.get("weight", choice.options.get("limit")) for choice in recipe.regularizers
    }


def test_a_child_drops_its_parents_tables_and_keys(parent: Path) -> None:
    recipe = read_recipe(child(parent, 'unset = ["ema", "train.stop", "train.keep", "regularizer"]\n'))
    assert (recipe.ema, recipe.train.stop, recipe.train.keep, recipe.regularizers) == (None, None, 3, ())
    assert recipe.train.steps == 4
    assert recipe.origins["train.keep"].text == f"default of ganzoo {ganzoo.__version__}"
    assert recipe.origins["train.steps"].text.endswith("points.toml:20")
    assert not [key for key in recipe.places if key.startswith(("ema", "train.stop", "regularizer"))]


def test_an_element_of_an_array_is_dropped_by_its_number_and_the_others_know_their_lines(parent: Path) -> None:
    recipe = read_recipe(child(parent, 'unset = ["regularizer.0", "regularizer[1]"]\n'))
    assert regularizers(recipe) == {"weight-clip": 3.0}
    assert recipe.origins["regularizer[0].limit"].text.endswith("parent.toml:10")


def test_what_is_dropped_makes_room_for_the_childs_own(parent: Path) -> None:
    recipe = read_recipe(child(parent, 'unset = ["ema", "optimizer"]\n[ema]\nevery = 2\n' + OPTIMIZERS))
    assert recipe.ema is not None
    assert (recipe.ema.decay, recipe.ema.every) == (0.999, 2)
    assert recipe.origins["ema.every"].text.endswith("child.toml:4")
    assert recipe.optimizers["generator"].entry.name == "sgd"


OPTIMIZERS = '[optimizer.generator]\nname = "sgd"\nlr = 0.1\n[optimizer.discriminator]\nname = "sgd"\nlr = 0.1\n'


def test_a_grandchild_drops_what_its_grandparent_said(parent: Path) -> None:
    middle = parent.parent / "middle.toml"
    middle.write_text('extends = "parent.toml"\nunset = ["ema"]\n')
    last = parent.parent / "last.toml"
    last.write_text('extends = "middle.toml"\nunset = ["generator.output"]\n')
    recipe = read_recipe(last)
    assert recipe.ema is None
    assert recipe.generator is not None
    assert "generator.output" not in recipe.places
    last.write_text('extends = "middle.toml"\nunset = ["ema"]\n')
    assert told(last).startswith("last.toml:2: unset: the parent recipe does not set ema.\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('unset = ["emma"]', "child.toml:2: unset: the parent recipe does not set emma.\n  Did you mean ema? The"),
        ('unset = ["train.kep"]', "child.toml:2: unset: the parent recipe does not set train.kep.\n"
                                  "  Did you mean keep? train has: steps, keep, stop."),
        ('unset = ["regularizer.3"]', "child.toml:2: unset: the parent recipe does not set regularizer[3].\n"
                                      "  There are 3: regularizer[0] to regularizer[2]."),
        ('unset = ["regularizer.weight"]', "child.toml:2: unset: the parent recipe does not set regularizer.weight.\n"
                                           "  regularizer is an array: write regularizer.0.weight, say."),
        ('unset = ["ema.decay.x"]', "child.toml:2: unset: the parent recipe does not set ema.decay.x.\n"
                                    "  ema.decay is 0.5 (float)."),
        ('unset = ["a..b"]', 'child.toml:2: unset: "a..b" (text) is not a key of a recipe.'),
        ('unset = "ema"', 'child.toml:2: unset should be a list of keys; found "ema" (text).\n  Write unset = ["ema"'),
        ("unset = [3]", "child.toml:2: unset should be a list of keys; found [3]."),
        ("[unset]\nema = true", "child.toml:2: unset should be a list of keys; found a table."),
        ('unset = ["extends"]', "child.toml:2: unset: the parent recipe does not set extends."),
    ],
)  # fmt: skip
def test_what_the_parent_does_not_have_cannot_be_dropped(text: str, said: str, parent: Path) -> None:
    assert told(child(parent, text + "\n")).startswith(said)


def test_without_a_parent_there_is_nothing_to_drop(parent: Path) -> None:
    points = parent.parent / "points.toml"
    points.write_text('unset = ["ema"]\n' + points.read_text())
    assert told(points).startswith(
        "points.toml:1: unset takes keys out of the recipe that extends names, and there is no"
    )


def test_the_saved_recipe_is_flat(parent: Path, tmp_path: Path) -> None:
    recipe = read_recipe(child(parent, 'unset = ["ema"]\n'), unset=["regularizer.0"])
    saved = tmp_path / "saved.toml"
    saved.write_text(recipe_toml(recipe))
    assert "unset" not in saved.read_text()
    assert "extends" not in saved.read_text()
    assert differences(read_recipe(saved), recipe) == []


def test_unset_from_outside_comes_before_what_is_set_whatever_their_order(parent: Path) -> None:
    recipe = read_recipe(
        parent,
        unset=["ema", "regularizer.0"],
        overrides=["regularizer.1.weight=5", "ema.every=2"],
        settings={"regularizer.2.limit": (9.0, "regularizer__2__limit=9.0")},
    )
    assert regularizers(recipe) == {"r2": 5.0, "weight-clip": 9.0}
    assert recipe.ema is not None
    assert (recipe.ema.decay, recipe.ema.every) == (0.999, 2)
    assert recipe.origins["regularizer[0].weight"].text == "--set regularizer.1.weight=5"
    assert recipe.origins["regularizer[1].limit"].text == "regularizer__2__limit=9.0"
    assert recipe.origins["regularizer[1].name"].text.endswith("parent.toml:9")


def test_an_element_that_is_unset_can_be_replaced_and_not_changed(parent: Path) -> None:
    replaced = read_recipe(parent, unset=["regularizer.0"], overrides=['regularizer.0={name="gradient-penalty"}'])
    assert list(regularizers(replaced)) == ["gradient-penalty", "r2", "weight-clip"]
    said = told(parent, unset=["regularizer.0"], overrides=["regularizer.0.weight=5"])
    assert (
        said
        == "--set regularizer.0.weight=5: the recipe has no regularizer[0].weight.\n  regularizer[0] is unset, too."
    )


@pytest.mark.parametrize(
    ("unset", "said"),
    [
        ("emma", "--unset emma: the recipe does not set emma.\n  Did you mean ema? The recipe has: "),
        (
            "train.seed",
            "--unset train.seed: the recipe does not set train.seed.\n  Did you mean keep? train has: steps,",
        ),
        (
            "regularizer.5",
            "--unset regularizer.5: the recipe does not set regularizer[5].\n  There are 3: regularizer[0] to",
        ),
        ("a b", "--unset a b: this should be a KEY.\n  For example: --unset ema"),
        ("dataset", "there is no [dataset] table."),
        ("generator.name", "generator has no name."),
    ],
)
def test_what_cannot_be_unset_is_told(unset: str, said: str, parent: Path) -> None:
    assert said in told(parent, unset=[unset])


def test_what_is_inside_of_what_is_unset_and_the_same_twice_are_no_mistakes(parent: Path) -> None:
    recipe = read_recipe(parent, unset=["train.stop", "train.stop.seconds", "ema", "ema"])
    assert (recipe.train.stop, recipe.ema) == (None, None)
    assert read_recipe(parent, unset="ema").ema is None


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        ("regularizer.3.weight=1", "There are 3: regularizer[0] to regularizer[2]."),
        ("regularizer[3].weight=1", "There are 3: regularizer[0] to regularizer[2]."),
        ("generator.hidden.1=1", "There is one: generator.hidden[0]."),
        ("regularizer.weight=1", "regularizer is an array: write regularizer.0.weight, say."),
        ("augmnt.0.weight=1", "The recipe has: "),
    ],
)
def test_a_number_beyond_the_end_is_told_with_how_many_there_are(override: str, remedy: str, parent: Path) -> None:
    assert remedy in told(parent, overrides=[override])


def test_a_table_of_digits_is_still_reached_by_its_name(parent: Path) -> None:
    path = child(parent, '[optimizer.7]\nname = "sgd"\nlr = 0.1\n')
    for spelling in ("optimizer.7.lr=0.5", 'optimizer."7".lr=0.5'):
        assert read_recipe(path, overrides=[spelling]).optimizers["7"].options["lr"] == 0.5
    assert "7" not in read_recipe(path, unset=["optimizer.7"]).optimizers


def test_the_command_line_and_python_unset_alike(parent: Path, tmp_path: Path) -> None:
    words = ["--out", tmp_path / "one", "--device", "cpu", "--quiet", "--unset", "ema", "--unset", "regularizer.2"]
    assert exit_status(["run", str(parent), *map(str, words), "--set", "regularizer.0.weight=2"]) == 0
    one = ganzoo.load(tmp_path / "one")
    other = ganzoo.train(
        parent,
        out=tmp_path / "other",
        device="cpu",
        quiet=True,
        unset=["ema", "regularizer.2"],
        regularizer__0__weight=2,
    )
    assert one.recipe.ema is None
    assert regularizers(one.recipe) == {"r1": 2.0, "r2": 2.0}
    assert differences(one.recipe, other.recipe) == []


def test_show_tells_defaults_and_places_of_what_is_left(parent: Path, capsys: Captured) -> None:
    assert exit_status(["show", str(parent), "--unset", "train.keep", "--unset", "regularizer.0", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)["recipe"]["values"]
    assert values["train.keep"] == {"value": 3, "from": f"default of ganzoo {ganzoo.__version__}"}
    assert values["regularizer[0].weight"] == {"value": 2.0, "from": f"{parent}:7"}
    assert exit_status(["show", "hinge", "--unset", "ema"]) == 2
    assert "--unset is for recipes, and hinge is none." in capsys.readouterr().err


def test_nothing_is_written_where_something_cannot_be_unset(parent: Path, tmp_path: Path, capsys: Captured) -> None:
    assert exit_status(["run", str(parent), "--out", str(tmp_path / "run"), "--unset", "emma"]) == 2
    assert "Did you mean ema?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_suites_part_of_a_recipe_may_unset(parent: Path) -> None:
    from ganzoo.evaluation.suites.reading import read_suite

    suite = parent.parent / "suite.toml"
    text = (
        'seeds = [0]\n[score]\nmetrics = ["modes"]\n[[entry]]\nrecipe = "parent.toml"\n'
        '[entry.set]\nunset = ["ema", "regularizer"]\n'
    )
    suite.write_text(text)
    [entry] = read_suite(suite).entries
    assert (entry.recipe.ema, entry.recipe.regularizers) == (None, ())
    suite.write_text(text.replace('"ema"', '"emma"'))
    assert told_by_suite(suite).startswith(
        "suite.toml:7: unset: the parent recipe does not set emma.\n  Did you mean ema?"
    )


def told_by_suite(path: Path) -> str:
    from ganzoo.evaluation.suites.reading import read_suite

    with pytest.raises(RecipeError) as caught:
        read_suite(path)
    return str(caught.value).replace(f"{path.parent}/", "")
