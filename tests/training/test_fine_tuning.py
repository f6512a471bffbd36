"""[start]: training that begins with weights from elsewhere, and parts of networks that do not learn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import ganzoo
from ganzoo.errors import RecipeError
from ganzoo.recipe import read_recipe, recipe_toml
from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.training.runners.cuda_graph_rounds import CapturedRoundsRunner
from ganzoo.training.state import Training

Make = Callable[..., Training]
Play = Callable[[Training, int], Checkpoint]

FIRST, LAST = "checkpoints/step-00000000", "checkpoints/step-00000100"


@pytest.fixture
def source(points: Path, tmp_path: Path) -> Path:
    """A run of 20 steps, with averaged weights of the generator, and checkpoints at 0, 10 and 20."""
    ema = ["ema.decay=0.5", "train.sample_every=0"]
    return ganzoo.train(
        points, out=tmp_path / "source", overrides=ema, steps=20, seed=3, device="cpu", quiet=True
    ).directory


def tune(points: Path, out: Path, *overrides: str, **options: Any) -> ganzoo.Run:
    return ganzoo.train(points, out=out, overrides=["train.steps=10", *overrides], device="cpu", quiet=True, **options)


def same(one: Path, other: Path) -> bool:
    ours, theirs = load_file(one), load_file(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_run_begins_with_the_averaged_weights_of_another(points: Path, source: Path, tmp_path: Path) -> None:
    run = tune(points, tmp_path / "tuned", start__from=source)
    newest = source / "checkpoints" / "step-00000020"
    assert same(run.directory / FIRST / "generator.safetensors", newest / "ema-generator.safetensors")
    assert same(run.directory / FIRST / "discriminator.safetensors", newest / "discriminator.safetensors")
    assert run.status == "finished"


def test_without_ema_the_weights_that_training_had_are_taken(points: Path, source: Path, tmp_path: Path) -> None:
    run = tune(points, tmp_path / "tuned", start__from=source, start__ema=False)
    newest = source / "checkpoints" / "step-00000020"
    assert same(run.directory / FIRST / "generator.safetensors", newest / "generator.safetensors")


def test_averages_begin_with_the_weights_that_were_loaded(points: Path, source: Path, tmp_path: Path) -> None:
    run = tune(points, tmp_path / "tuned", "ema.decay=0.9", start__from=source)
    assert same(run.directory / FIRST / "ema-generator.safetensors", run.directory / FIRST / "generator.safetensors")


def test_a_checkpoint_folder_and_a_file_can_be_named(points: Path, source: Path, tmp_path: Path) -> None:
    middle = source / "checkpoints" / "step-00000010"
    run = tune(points, tmp_path / "folder", start__from=middle)
    assert same(run.directory / FIRST / "discriminator.safetensors", middle / "discriminator.safetensors")
    run = tune(points, tmp_path / "file", start__from=middle / "ema-generator.safetensors")
    assert same(run.directory / FIRST / "generator.safetensors", middle / "ema-generator.safetensors")
    assert run.facts["start"]["step"] == 10
    fresh = tune(points, tmp_path / "fresh")
    assert same(
        run.directory / FIRST / "discriminator.safetensors", fresh.directory / FIRST / "discriminator.safetensors"
    )


def test_a_file_from_elsewhere_is_of_the_player_that_is_named(points: Path, source: Path, tmp_path: Path) -> None:
    weights = load_file(source / "checkpoints" / "step-00000020" / "generator.safetensors")
    save_file(weights, tmp_path / "pretrained.safetensors")
    with pytest.raises(RecipeError, match=r"nothing says whose weights pretrained\.safetensors holds"):
        tune(points, tmp_path / "tuned", start__from=tmp_path / "pretrained.safetensors")
    options = {"start__from": tmp_path / "pretrained.safetensors", "start__players": ["generator"]}
    run = tune(points, tmp_path / "tuned", **options)
    assert same(run.directory / FIRST / "generator.safetensors", tmp_path / "pretrained.safetensors")


def test_a_file_of_several_players_is_told_apart_by_the_names_of_its_tensors(
    points: Path, source: Path, tmp_path: Path
) -> None:
    newest = source / "checkpoints" / "step-00000020"
    whole = {
        f"{player}.{name}": tensor
        for player in ("generator", "discriminator")
        for name, tensor in load_file(newest / f"{player}.safetensors").items()
    }
    save_file(whole, tmp_path / "game.safetensors")
    run = tune(points, tmp_path / "tuned", start__from=tmp_path / "game.safetensors")
    for player in ("generator", "discriminator"):
        assert same(run.directory / FIRST / f"{player}.safetensors", newest / f"{player}.safetensors")


def test_only_the_named_players_are_loaded_and_the_others_are_as_drawn(
    points: Path, source: Path, tmp_path: Path
) -> None:
    fresh = tune(points, tmp_path / "fresh")
    run = tune(points, tmp_path / "tuned", 'start.players=["discriminator"]', start__from=source)
    assert same(run.directory / FIRST / "generator.safetensors", fresh.directory / FIRST / "generator.safetensors")
    assert list(run.facts["start"]["players"]) == ["discriminator"]


def test_run_json_says_what_training_began_with(points: Path, source: Path, tmp_path: Path) -> None:
    run = tune(points, tmp_path / "tuned", "generator.hidden=[16, 16]", start__from=source)
    start = json.loads((run.directory / "run.json").read_text())["start"]
    state = json.loads((source / "checkpoints" / "step-00000020" / "state.json").read_text())
    assert (start["from"], start["step"], start["left_out"]) == (str(source), 20, [])
    assert start["path"] == str((source / "checkpoints" / "step-00000020").resolve())
    assert start["players"]["discriminator"] == {
        "file": "discriminator.safetensors",
        "averaged": False,
        "digest": f"sha256:{state['digests']['discriminator.safetensors']}",
        "loaded": 4,
        "other_shape": {},
        "not_given": [],
        "left_out": [],
    }
    generator = start["players"]["generator"]
    assert generator["digest"] == f"sha256:{state['digests']['ema-generator.safetensors']}"
    assert generator["loaded"] == 2
    assert generator["other_shape"] == {"network.2.weight": [[2, 16], [16, 16]], "network.2.bias": [[2], [16]]}
    assert generator["not_given"] == ["network.4.weight", "network.4.bias"]


def test_what_does_not_fit_stays_as_drawn(points: Path, source: Path, tmp_path: Path) -> None:
    wider = "generator.hidden=[16, 16]"
    fresh = load_file(tune(points, tmp_path / "fresh", wider).directory / FIRST / "generator.safetensors")
    run = tune(points, tmp_path / "tuned", wider, start__from=source)
    begun = load_file(run.directory / FIRST / "generator.safetensors")
    theirs = load_file(source / "checkpoints" / "step-00000020" / "ema-generator.safetensors")
    assert torch.equal(begun["network.0.weight"], theirs["network.0.weight"])
    for name in ("network.2.weight", "network.2.bias", "network.4.weight"):
        assert torch.equal(begun[name], fresh[name])


def test_what_was_loaded_is_listed_before_training(
    points: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["train.steps=2", "generator.hidden=[16, 16]", 'start.freeze=["discriminator.network.1"]']
    ganzoo.train(points, out=tmp_path / "tuned", overrides=settings, device="cpu", plain=True, start__from=source)
    out = capsys.readouterr().out
    lines = out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("start "))
    assert lines[first].split(maxsplit=1)[1].startswith(f"{source} at step 20 (")
    assert [line.strip() for line in lines[first + 1 : first + 6]] == [
        "discriminator: 4 of 4 tensors from discriminator.safetensors",
        "generator: 2 of 6 tensors from ema-generator.safetensors, averaged weights",
        "generator: fresh, of another shape: network.2.weight (2 x 16 there, 16 x 16 here), "
        "network.2.bias (2 there, 16 here)",
        "generator: fresh, not in the file: network.4.weight, network.4.bias",
        "frozen: discriminator.network.1 (48 parameters)",
    ]
    assert first < next(number for number, line in enumerate(lines) if line.startswith("step "))


def test_quiet_runs_list_nothing(
    points: Path, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tune(points, tmp_path / "tuned", start__from=source)
    said = capsys.readouterr()
    assert said.out + said.err == ""


def test_a_resumed_run_goes_on_though_the_source_is_gone(points: Path, source: Path, tmp_path: Path) -> None:
    settings = {"start__from": source, "start__freeze": ["discriminator.network.1", "generator.network.0.bias"]}
    ema = "ema.every=2"
    straight = tune(points, tmp_path / "straight", ema, **settings)
    tune(points, tmp_path / "run", ema, "train.checkpoint_every=5", **{**settings, "train__steps": 6})
    shutil.rmtree(source)
    resumed = ganzoo.resume(tmp_path / "run", steps=10, device="cpu", quiet=True)
    for file in sorted(straight.checkpoint.glob("*.safetensors")):
        assert file.read_bytes() == (resumed.checkpoint / file.name).read_bytes(), file.name
    assert resumed.facts["start"] == straight.facts["start"]
    assert resumed.recipe.start == straight.recipe.start


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["start.from=SOURCE", "generator.hidden=[7, 7]"],
            "no weight of ema-generator.safetensors fits the player generator",
        ),
        (["start.from=SOURCE/sample"], "there is no "),
        (["start.from=SOURCE/samples"], "is neither a run, nor the folder of a checkpoint, nor a .safetensors file."),
        (["start.from=SOURCE/checkpoints/step-00000020/critic.safetensors"], "there is no "),
        (["start.from=SOURCE", 'start.players=["generaptor"]'], "Did you mean generator?"),
        (['start.players=["generator"]'], "start.players needs start.from."),
        (["start.ema=false"], "start has neither start.from nor start.freeze."),
        (["start.form=SOURCE"], "Did you mean from?"),
        (["start.from=3"], "start.from: there is no 3."),
        (["start.from=[3]"], "start.from should be text, not empty; found [3]."),
        (['start.freeze=["discriminator.netwrok.1"]'], "Did you mean discriminator.network.1?"),
        (['start.freeze=["critic.network"]'], 'start.freeze: "critic.network" is not under a player.'),
        (['start.freeze=["discriminator.network.0"]'], '"discriminator.network.0" has no parameters'),
        (['start.freeze=["discriminator"]'], "start.freeze leaves the player discriminator nothing to learn."),
        (
            ['start.freeze=["generator.network.0", "generator.network.2"]'],
            "start.freeze leaves the player generator nothing to learn.",
        ),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(
    points: Path, source: Path, tmp_path: Path, overrides: list[str], said: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        tune(points, tmp_path / "tuned", *(one.replace("SOURCE", str(source)) for one in overrides))
    assert said in str(caught.value)
    assert not (tmp_path / "tuned").exists()


def test_a_mistake_is_told_with_its_line(points: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('extends = "points.toml"\n\n[start]\nfrom = "runs/nowhere"\n')
    with pytest.raises(RecipeError) as caught:
        ganzoo.train(recipe, out=tmp_path / "tuned", quiet=True)
    assert str(caught.value).startswith(f"{recipe}:4: start.from: there is no runs/nowhere.")


def test_a_damaged_file_is_refused_with_an_older_checkpoint_to_take(points: Path, source: Path, tmp_path: Path) -> None:
    file = source / "checkpoints" / "step-00000020" / "discriminator.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(RecipeError) as caught:
        tune(points, tmp_path / "tuned", start__from=source)
    assert "discriminator.safetensors: its digest does not fit" in str(caught.value)
    assert f"Name an older checkpoint: {source / 'checkpoints' / 'step-00000010'}." in str(caught.value)
    assert not (tmp_path / "tuned").exists()
    run = tune(points, tmp_path / "tuned", 'start.players=["generator"]', start__from=source)
    assert run.status == "finished"


def test_a_file_that_is_no_safetensors_is_refused(points: Path, tmp_path: Path) -> None:
    (tmp_path / "generator.safetensors").write_text("hello")
    with pytest.raises(RecipeError, match="not a safetensors file"):
        tune(points, tmp_path / "tuned", start__from=tmp_path / "generator.safetensors")


def test_a_checkpoint_without_any_of_the_games_players_is_refused(points: Path, source: Path, tmp_path: Path) -> None:
    newest = source / "checkpoints" / "step-00000020"
    weights = load_file(newest / "generator.safetensors")
    save_file({f"critic.{name}": tensor for name, tensor in weights.items()}, tmp_path / "critic.safetensors")
    with pytest.raises(RecipeError, match="nothing says whose weights"):
        tune(points, tmp_path / "tuned", start__from=tmp_path / "critic.safetensors")


FREEZE = 'start.freeze=["discriminator.network.1", "generator.network.0.bias"]'
FROZEN = {
    "discriminator": {"network.1.weight", "network.1.bias"},
    "generator": {"network.0.bias"},
}


@pytest.mark.parametrize("runner", ["eager", "traced"])
def test_frozen_parameters_do_not_move_and_all_others_do(
    points: Path, training_of: Make, play: Play, runner: str
) -> None:
    from ganzoo.training.runners.compiled_rounds import CompiledRoundsRunner

    training = training_of(points, FREEZE, 'optimizer.generator={name="adamw", weight_decay=0.5}')
    if runner == "traced":
        training.runner = CompiledRoundsRunner(training, "a test", compile_function=lambda piece, given: piece)
    before = {name: {k: v.clone() for k, v in p.module.state_dict().items()} for name, p in training.players.items()}
    play(training, 20)
    assert runner == "eager" or (isinstance(training.runner, CapturedRoundsRunner) and training.runner.graphs)
    for name, player in training.players.items():
        still = {key for key, value in player.module.state_dict().items() if torch.equal(value, before[name][key])}
        assert still == FROZEN[name]
        for key, parameter in player.module.named_parameters():
            assert (parameter.grad is None) == (key in FROZEN[name])


def test_the_optimizer_does_not_hold_what_is_frozen(points: Path, training_of: Make) -> None:
    training = training_of(points, FREEZE)
    for name, player in training.players.items():
        held = {id(each) for group in player.optimizer.param_groups for each in group["params"]}
        learning = {key for key, each in player.module.named_parameters() if id(each) in held}
        assert learning == {key for key, _ in player.module.named_parameters()} - FROZEN[name]


def test_freezing_needs_no_source(points: Path, tmp_path: Path) -> None:
    run = tune(points, tmp_path / "run", FREEZE)
    assert run.facts["start"] == {"frozen": {"discriminator.network.1": 48, "generator.network.0.bias": 16}}


def test_the_saved_recipe_keeps_the_table(points: Path, tmp_path: Path) -> None:
    recipe = read_recipe(points, overrides=['start.from="runs/one"', FREEZE])
    assert recipe.start is not None
    assert (recipe.start.source, recipe.start.players, recipe.start.ema) == ("runs/one", None, True)
    saved = tmp_path / "saved.toml"
    saved.write_text(recipe_toml(recipe))
    assert read_recipe(saved) == recipe


def test_show_prints_the_table(points: Path) -> None:
    from click.testing import CliRunner

    from ganzoo.cli.show import show

    done = CliRunner().invoke(show, [str(points), "--set", "start.from=runs/one"])
    assert done.exit_code == 0, done.output
    lines = {line.partition("#")[0].strip() for line in done.output.splitlines()}
    assert {'start.from = "runs/one"', "start.ema = true", "start.freeze = []"} <= lines


def test_the_doctor_measures_only_what_learns(points: Path, tmp_path: Path) -> None:
    from ganzoo.evaluation.doctor.history import TrainingHistory
    from ganzoo.evaluation.doctor.unchanged_weights import displacement, unchanged_weights
    from ganzoo.recipe.freezing import frozen_parameters

    settings = ["train.steps=100", "train.keep=20", "generator.hidden=[256]", 'start.freeze=["generator.network.0"]']
    run = ganzoo.train(points, out=tmp_path / "run", overrides=settings, device="cpu", quiet=True)
    assert frozen_parameters(run.recipe, run.game.players()) == {
        "generator.network.0.weight",
        "generator.network.0.bias",
    }
    before, after = (load_file(run.directory / name / "generator.safetensors") for name in (FIRST, LAST))
    assert displacement(["network.0.weight"], before, after) == 0.0
    assert displacement(["network.2.weight"], before, after) > 0.01
    assert list(unchanged_weights(TrainingHistory(run.metrics, run.recipe, run.total_steps), run)) == []
