"""benchmarks/quality_time.py trains as ganzoo does, beside a tutorial's loop, and says when each was how good."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import ganzoo
from ganzoo.recipe import read_recipe

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
RECIPE = """
extends = "vanilla_mnist"
[generator]
hidden = [16]
[discriminator]
hidden = [16]
[dataset]
name = "few-glyphs"
[evaluate]
every = 4
metrics = ["fid"]
n = 100
[train]
steps = 12
log_every = 2
sample_every = 0
checkpoint_every = 0
"""
QUICK = ("--extractor", "stand-in", "--samples", "100", "--every", "4")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("COLUMNS", "200")
    threads = torch.get_num_threads()
    yield importlib.import_module("quality_time")
    torch.set_num_threads(threads)


@pytest.fixture
def recipe(few_glyphs: None, tmp_path: Path) -> Path:
    path = tmp_path / "few.toml"
    path.write_text(RECIPE)
    return path


def said(printed: str) -> list[tuple[str, int, float]]:
    """What the lines of progress say: the loop, the step, the score."""
    lines = re.findall(r"^few, (plain loop|ganzoo).*: step (\d+), .* s, fid ([\d.]+)$", printed, re.MULTILINE)
    return [(loop, int(step), float(score)) for loop, step, score in lines]


def cells(printed: str, loop: str) -> list[str]:
    """A loop's row of the table."""
    (row,) = [line for line in printed.splitlines() if loop in line and "few" in line]
    return [cell.strip() for cell in row.strip("│").split("│")]


def test_ganzoos_scores_are_those_of_an_ordinary_run_whoever_takes_turns_with_it(
    bench: ModuleType, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main([str(recipe), "--plain", "--target", "0.001", *QUICK]) == 0
    printed = said(capsys.readouterr().err)
    run = ganzoo.train(recipe, out=recipe.parent / "run", device="cpu", quiet=True)
    ordinary = [("ganzoo", row["step"], round(row["fid"], 1)) for row in run.metrics if "fid" in row]
    assert [row for row in printed if row[0] == "ganzoo"] == ordinary
    assert [step for loop, step, _ in printed if loop == "plain loop"] == [4, 8, 12]


def test_both_loops_begin_with_the_same_weights_and_are_scored_on_the_same_latents(
    bench: ModuleType, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(bench, "train_in_turns", lambda found, *_: begun.extend(found))
    bench.main([str(recipe), "--plain", *QUICK])
    plain, ours = begun
    assert torch.equal(plain.samples()[0], ours.samples()[0])
    plain.play(4)
    assert not torch.equal(plain.samples()[0], ours.samples()[0])


def test_training_ends_at_the_last_target_and_the_table_says_when(
    bench: ModuleType, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main([str(recipe), "--plain", "--target", "1e6", "2e6", *QUICK]) == 0
    printed = capsys.readouterr()
    assert [step for _, step, _ in said(printed.err)] == [4, 4]
    name, data, _, first, last, *_ = cells(printed.out, "ganzoo")
    assert (name, data) == ("few", "few-glyphs")
    assert first == last
    assert re.fullmatch(r"[\d.]+ s \(4\), [\d.]+ x", first)
    assert "threads, torch" in printed.out


def test_what_is_not_reached_says_for_how_long_it_was_trained(
    bench: ModuleType, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main([str(recipe), "--target", "0.001", "--limit", "1e-9", *QUICK]) == 0
    printed = capsys.readouterr()
    assert [step for _, step, _ in said(printed.err)] == [4]  # the limit is looked at after each turn
    assert cells(printed.out, "ganzoo")[3].startswith("not in ")


def test_a_run_is_read_and_not_trained(bench: ModuleType, recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ganzoo.train(recipe, out=recipe.parent / "run", device="cpu", quiet=True)
    assert bench.main([str(run.directory), "--target", "1e6", *QUICK]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    row = next(row for row in run.metrics if "fid" in row)
    assert cells(printed.out, "a run, read")[3] == f"{row['seconds']:.1f} s ({row['step']})"
    assert bench.main([str(run.directory), *QUICK[:2], "--samples", "99"]) == 2
    assert "do not stand in one table" in capsys.readouterr().err


def test_a_training_that_breaks_loses_no_other(
    bench: ModuleType, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = recipe.with_name("broken.toml")
    unbounded = "".join(
        f'[optimizer.{player}]\nname = "sgd"\nlr = 1000.0\n' for player in ("generator", "discriminator")
    )
    broken.write_text(f'{RECIPE}[loss]\nname = "wasserstein"\n{unbounded}')  # a critic that nothing holds in bounds
    assert bench.main([str(broken), str(recipe), "--target", "0.001", *QUICK]) == 0
    printed = capsys.readouterr()
    assert re.search(r"^broken, ganzoo, eager: step \d+: .* is (nan|inf|-inf)\.$", printed.err, re.MULTILINE)
    assert [step for _, step, _ in said(printed.err)] == [4, 8, 12]
    assert cells(printed.out, "few ")[3].startswith("not in ")


def test_ctrl_c_loses_nothing_that_is_known(
    bench: ModuleType, recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turn = bench.TimedLoop.turn

    def interrupted(contestant: Any, *told: Any) -> None:
        if contestant.steps == 8:
            raise KeyboardInterrupt
        turn(contestant, *told)

    monkeypatch.setattr(bench.TimedLoop, "turn", interrupted)
    assert bench.main([str(recipe), "--target", "1e6", "0.001", *QUICK]) == 130
    row = cells(capsys.readouterr().out, "ganzoo")
    assert row[3].endswith("s (4)")
    assert row[4].startswith("not in ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "0"), "numbers above 0"),
        (("--every", "3"), "a multiple of train.log_every"),
        (("--samples", "1"), "evaluate.n"),
        (("--extractor", "nope"), 'no extractor "nope"'),
        (("--device", "cuda:99"), 'no device "cuda:99"'),
        (("--cpu-time", "--threads", "2"), "--threads 1"),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(
    bench: ModuleType, recipe: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main([str(recipe), *QUICK, *options]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert (printed.out, said(printed.err)) == ("", [])


def test_an_unknown_recipe_is_refused_before_the_one_in_front_of_it_is_trained(
    bench: ModuleType, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main([str(recipe), "nope", *QUICK]) == 2
    printed = capsys.readouterr()
    assert 'there is no recipe "nope"' in printed.err
    assert said(printed.err) == []


@pytest.mark.parametrize(
    ("name", "overrides", "same"),
    [
        ("vanilla_mnist", (), True),
        ("dcgan_mnist", (), True),
        ("wgan_gp_mnist", (), True),
        ("wgan_mnist", (), False),
        ("relativistic_mnist", (), False),
        ("vanilla_mnist", ("loss.name=hinge",), False),
        ("vanilla_mnist", ("optimizer.generator.lr=1e-3",), False),
        ("vanilla_mnist", ("game.n_critic=2",), False),
        ("wgan_gp_mnist", ("regularizer=[]",), False),
        ("wgan_gp_mnist", ("game.n_critic=1",), True),
    ],
)
def test_a_tutorials_loop_stands_only_beside_the_recipe_that_it_plays(
    bench: ModuleType, name: str, overrides: tuple[str, ...], same: bool
) -> None:
    recipe = read_recipe(name, overrides=overrides)
    info = ganzoo.DatasetInfo(fields={"real": ganzoo.Field((1, 28, 28), "uint8")}, size=10)
    assert importlib.import_module("plain_loops").is_same_algorithm(recipe, info) is same
