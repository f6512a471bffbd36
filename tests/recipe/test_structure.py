"""Recipes of any structure: refused by file and line before they cost anything, and no table is lost to a value."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganzoo.errors import RecipeError
from ganzoo.evaluation.suites.reading import read_suite
from ganzoo.recipe import read_recipe
from ganzoo.recipe.structure import find_excess
from ganzoo.training.launch import train

EXCESSIVE = {
    "a key of many parts": ("[train]\n" + "a." * 40_000 + "a = 1", 2, "a key has more than 16 parts"),
    "a header of many parts": ("\n\n[" + "a." * 40_000 + "a]", 3, "a key has more than 16 parts"),
    "quoted parts": ('"a" . ' * 40_000 + "a = 1", 1, "a key has more than 16 parts"),
    "nested arrays": ("a = " + "[" * 100_000 + "]" * 100_000, 1, "its values are nested more than 16 deep"),
    "nested tables": ("\na = " + "{a = " * 30_000 + "1" + "}" * 30_000, 2, "its values are nested more than 16 deep"),
    "many tables": ("[[regularizer]]\n" * 60_000, 5001, "it has more than 5,000 keys"),
    "many keys": ("".join(f"k{n} = 1\n" for n in range(60_000)), 5001, "it has more than 5,000 keys"),
    "a long name": ("\n" + "n" * 900_000 + " = 1", 2, "a name in a key has more than 200 characters"),
}


@pytest.mark.parametrize("what", EXCESSIVE)
def test_an_excessive_structure_is_refused_by_line_before_it_costs_anything(what: str, tmp_path: Path) -> None:
    text, line, reason = EXCESSIVE[what]
    path = tmp_path / "big.toml"
    path.write_text(text)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    assert caught.value.problems[0].where == f"{path}:{line}"
    assert reason in str(caught.value)
    assert time.process_time() - began < 2  # 0.1 measured; a parser took minutes, or 6.5 GB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # kB


@pytest.mark.parametrize(
    "text",
    [
        "a = 1.5\nb = [[1, 2], [3]]\n",
        'path = "' + "p." * 5_000 + '"\n',
        "text = '''\n" + "[" * 100 + "a." * 100 + "'''\n",
        'list = [\n  "' + "x" * 500 + '",\n  [\n],\n]\n',
        "# " + "a." * 1_000 + "[[[[[[[[[[[[[[[[[[[[[\n",
        'a = "unterminated\nb.' + "b." * 10,
    ],
)
def test_what_only_looks_excessive_is_not_refused(text: str) -> None:
    assert find_excess(text) is None


def test_a_message_lists_a_few_of_many_problems(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("".join(f"k{n} = 1\n" for n in range(4_000)))
    with pytest.raises(RecipeError, match=r"and 3,9[0-9]{2} more problems") as caught:
        read_recipe(path)
    assert len(caught.value.problems) > 4_000
    assert len(str(caught.value)) < 20_000


@pytest.mark.parametrize("name", ["[[regularizer]]", "[[augment]]"])
def test_an_array_of_a_thousand_components_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "many.toml"
    path.write_text('extends = "vanilla_mnist"\n' + f'{name}\nname = "weight-clip"\n' * 1_000)
    with pytest.raises(RecipeError, match="should have at most 64 components; found 1,000") as caught:
        read_recipe(path)
    assert caught.value.problems[0].where == f"{path}:2"


@pytest.mark.parametrize(
    "parent", ["pipe.toml", "pipe", "/dev/zero", "/dev/stdin", "folder.toml", "x\\u0000y", "n" * 5000]
)
def test_extends_of_what_is_no_plain_file_is_refused_at_once(parent: str, tmp_path: Path) -> None:
    for name in ("pipe.toml", "pipe"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "folder.toml").mkdir()
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "{parent}"\n')
    found = subprocess.run(
        [sys.executable, "-m", "ganzoo", "show", str(path)], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    assert found.returncode == 2
    assert found.stderr.decode().startswith(f"error: {path}:1: extends = ")


def test_a_long_row_of_recipes_is_refused(tmp_path: Path) -> None:
    for number in range(2_000):
        (tmp_path / f"{number}.toml").write_text(f'extends = "{number + 1}.toml"\n')
    with pytest.raises(RecipeError, match="more than 16 recipes extend one another"):
        read_recipe(tmp_path / "0.toml")


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("train=hello", "train should be a table"),
        ("train=[]", "train should be a table"),
        ("optimizer=5", "optimizer should be a table"),
        ("optimizer.generator=adam", "optimizer.generator should be a table"),
        ("dataset=2024-01-01", "dataset should be a table"),
    ],
)
def test_set_does_not_replace_a_table_by_a_value(override: str, key: str) -> None:
    """The table that a flag made in its place was taken for the recipe's: all of its other keys were lost."""
    with pytest.raises(RecipeError, match=f"^--set {override.split('=')[0]}=.*: {key}") as caught:
        read_recipe("vanilla_mnist", overrides=[override], settings={"train.steps": (5, "--steps 5")})
    advised = str(caught.value).split("Set a key inside it, ")[1].removesuffix(" say.")
    value = {"train.epochs": "3", "optimizer.generator": "{lr=1e-4}", "dataset.name": "glyphs"}.get(advised, "adam")
    read_recipe("vanilla_mnist", overrides=[f"{advised}={value}"])


def test_nor_do_keyword_arguments_and_files_and_suites(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^train='hello': train should be a table"):
        train("vanilla_mnist", train="hello", out=tmp_path / "run")
    parent, child = tmp_path / "parent.toml", tmp_path / "child.toml"
    parent.write_text('extends = "vanilla_mnist"\ntrain = "hello"\n')
    child.write_text('extends = "parent.toml"\n[train]\nsteps = 5\n')
    with pytest.raises(RecipeError, match=r"parent\.toml:2: train should be a table"):
        read_recipe(child)
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'seeds = [0]\nset.train = "hello"\n[budget]\nsteps = 5\n[score]\nmetrics = ["fid"]\n'
        '[[entry]]\nrecipe = "vanilla_mnist"\n'
    )
    with pytest.raises(RecipeError, match=r"suite\.toml:2: train should be a table"):
        read_suite(suite)


def test_an_array_of_tables_is_not_replaced_by_a_value_either(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "vanilla_mnist"\n[[regularizer]]\nname = "weight-clip"\n')
    with pytest.raises(RecipeError, match="--set regularizer=5: regularizer should be an array of tables"):
        read_recipe(path, overrides=["regularizer=5"])


def test_a_fallback_may_still_be_a_name_or_a_table() -> None:
    table = read_recipe("vanilla_mnist", overrides=['dataset.fallback={name="glyphs", channels=1}'])
    assert table.fallback is not None
    assert read_recipe("vanilla_mnist", overrides=["dataset.fallback=glyphs"]).fallback is not None


@pytest.mark.parametrize(
    ("override", "advice"),
    [
        ("train.steps=1e5", "Write steps = 100000."),
        ("train.seed=007", "Write seed = 7."),
        ("train.checkpoint_activations=True", "Write checkpoint_activations = true."),
        ("train.checkpoint_activations='\"true\"'", "Write checkpoint_activations = true."),
        ("optimizer.generator.lr=.5", "Write lr = 0.5."),
        ("optimizer.generator.lr=nan", "The default is 0.0002."),
        ("optimizer.generator.lr=1e999", "The default is 0.0002."),
        ("generator.hidden=32", "Write hidden = [32]."),
        ("generator.hidden=32,64", "Write hidden = [32, 64]."),
        ("generator.hidden=(32, 64)", "Write hidden = [32, 64]."),
        (
            "ema.players=[generator]",
            "Text inside of a list or a table has quotes: --set 'ema.players=[\"generator\"]'.",
        ),
        ("ema.players=generator,discriminator", 'Write players = ["generator", "discriminator"].'),
    ],
)
def test_the_advice_on_a_value_of_another_type_is_accepted(override: str, advice: str) -> None:
    key = override.partition("=")[0]
    with pytest.raises(RecipeError) as caught:
        read_recipe("vanilla_mnist", overrides=[override.replace("'", "")])
    (problem,) = caught.value.problems
    assert problem.where.startswith("--set ")
    assert problem.remedy == advice
    value = advice.rpartition("=" if "--set" in advice else " = ")[2].rstrip(".'") if "Write" in advice else None
    if value:
        read_recipe("vanilla_mnist", overrides=[f"{key}={value}"])


@pytest.mark.parametrize("text", ["2020", "2020-01-01", "1e5", "true", "nan", "0x10", "12:30:00", "0700"])
def test_text_that_toml_takes_for_something_else_needs_no_quotes_on_the_command_line(text: str) -> None:
    options = [f"dataset.path={text}", "dataset.name=image-folder", f"description={text}"]
    recipe = read_recipe("vanilla_mnist", unset=["dataset.fallback"], overrides=options)
    assert recipe.dataset.options["path"] == text
    assert recipe.description == text
