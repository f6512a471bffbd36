"""Rounds compiled as a whole on a CPU: what is compiled, what is left alone, and that a resumed run does the same."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, fx

import ganzoo
from ganzoo.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ganzoo.training.runners.choice import choose_runner
from ganzoo.training.runners.compiled_rounds import CompiledRoundsRunner
from ganzoo.training.runners.eager import EagerRunner
from ganzoo.training.runners.operation_recorder import UndoableRecorder
from ganzoo.training.state import Training

Make = Callable[..., Training]
Play = Callable[[Training, int], Checkpoint]
Gap = Callable[[Checkpoint, Checkpoint], float]

LAZY = ("ema.every=2", 'regularizer=[{name="r1", every=3}]', "train.log_every=7")


class Compiler:
    """Notes what it is given, and does it as it is."""

    def __init__(self) -> None:
        self.given: list[fx.GraphModule] = []

    def __call__(self, piece: fx.GraphModule, given: Sequence[Tensor]) -> Callable[..., Any]:
        self.given.append(piece)
        return piece

    def operations(self) -> set[str]:
        return {str(node.target) for piece in self.given for node in piece.graph.nodes if node.op == "call_function"}


def test_a_penalty_is_compiled_with_the_network_that_it_differentiates(points: Path, training_of: Make) -> None:
    products = []
    for settings in ((), ('regularizer=[{name="r1"}]',)):
        training, compiler = training_of(points, *settings), Compiler()
        training.runner = CompiledRoundsRunner(training, "a test", compiler)
        for _ in range(3):
            training.advance()
        # the discriminator's move, the generator's, and the means after it: no update, nothing of the profiler's, and
        # none of the copies that undo the round
        assert len(compiler.given) == 3
        assert not any(word in name for word in ("adam", "profiler", "clone") for name in compiler.operations())
        products.append(compiler.given[0].code.count("aten.mm."))
    assert products[1] > products[0]


def test_what_several_rounds_have_in_common_is_compiled_once(points: Path, training_of: Make) -> None:
    training, compiler = training_of(points, *LAZY), Compiler()
    training.runner = runner = CompiledRoundsRunner(training, "a test", compiler)
    for _ in range(24):
        training.advance()
    assert len(runner.graphs) == 6
    # a discriminator's move with the penalty and one without, the generator's, and an end with averages and one without
    assert len(compiler.given) == 5


def test_averages_of_batch_norm_change_nothing_of_the_moves_before(training_of: Make) -> None:
    """The next average takes in what a generator's move writes to: its piece has to be the same piece."""
    small = ("train.batch_size=8", "generator.width=2", "discriminator.width=2")
    training, compiler = training_of("dcgan_mnist", 'dataset.name="glyphs"', "ema.every=2", *small), Compiler()
    training.runner = CompiledRoundsRunner(training, "a test", compiler)
    for _ in range(4):
        training.advance()
    # a discriminator's move, a generator's, and an end with averages and one without
    assert len(compiler.given) == 4


def test_in_bfloat16_every_weight_is_cast_once_an_update_and_nothing_differs(
    points: Path, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    settings = ("train.precision=bf16", "game.n_critic=2", 'regularizer=[{name="weight-clip"}]')
    training, compiler = training_of(points, *settings), Compiler()
    training.runner = CompiledRoundsRunner(training, "a test", compiler)
    found = play(training, 20)
    assert largest_gap(found, play(training_of(points, *settings), 20)) == 0.0
    nodes = [node for piece in compiler.given for node in piece.graph.nodes if node.op == "call_function"]
    cast = [node for node in nodes if "_to_copy" in str(node.target) and node.kwargs["dtype"] is torch.bfloat16]
    weights = [node for node in cast if node.args[0].op == "placeholder" and node.args[0].name.startswith("held")]
    # four tensors of each player: the generator's for all three moves together, the discriminator's for each
    assert len(weights) == 4 + 3 * 4


def test_recording_leaves_everything_as_it_was(points: Path, training_of: Make, play: Play) -> None:
    training = training_of(points, *LAZY)
    training.runner = runner = CompiledRoundsRunner(training, "a test", Compiler())
    play(training, 8)
    before, random = training.checkpoint(), torch.get_rng_state()
    held = {file: {name: each.clone() for name, each in tensors.items()} for file, tensors in before.tensors.items()}
    runner.capture_rounds(1)
    after = training.checkpoint()
    assert after.state | {"seconds": 0} == before.state | {"seconds": 0}
    for file, tensors in after.tensors.items():
        assert all(torch.equal(tensor, held[file][name]) for name, tensor in tensors.items()), file
    assert torch.equal(random, torch.get_rng_state())


def test_what_is_written_twice_is_put_back_as_it_was() -> None:
    whole, norm = torch.arange(6.0), torch.nn.BatchNorm1d(2)
    with UndoableRecorder() as recorder:
        whole[:3].mul_(2)
        whole.add_(1)
        torch._foreach_mul_([whole[2:4]], 10)
        made = torch.zeros(2).add_(5)
        norm(torch.randn(4, 2))  # whose operation says nothing of the averages that it writes to
    recorder.undo()
    assert torch.equal(norm.running_mean, torch.zeros(2))
    assert torch.equal(whole, torch.arange(6.0))
    assert torch.equal(made, torch.tensor([5.0, 5.0]))


@pytest.mark.parametrize("stopped", [1, 4, 9, 21, 28])
def test_a_resumed_run_compiles_the_rounds_that_it_would_have(
    points: Path, tmp_path: Path, training_of: Make, play: Play, largest_gap: Gap, stopped: int
) -> None:
    """A compiled round differs from one that is played as it comes: here by a sign that none would overlook."""

    def with_a_sign(piece: fx.GraphModule, given: Sequence[Tensor]) -> Callable[..., Any]:
        def does(*held: Any) -> Any:
            return torch.utils._pytree.tree_map_only(Tensor, torch.Tensor.neg, piece(*held))

        return does

    def started(seed: int = 0) -> Training:
        training = training_of(points, *LAZY, seed=seed)
        training.runner = CompiledRoundsRunner(training, "a test", with_a_sign)
        return training

    straight = started()
    save_checkpoint(tmp_path / "middle", play(straight, stopped))
    expected = play(straight, 35 - stopped)
    rest = training_of(points, *LAZY, seed=0)
    rest.restore(load_checkpoint(tmp_path / "middle"), "a test")
    rest.runner = CompiledRoundsRunner(rest, "a test", with_a_sign)
    found = play(rest, 35 - stopped)
    assert largest_gap(found, expected) == 0.0
    assert found.state["means"] == expected.state["means"]
    assert found.state["runner"] == expected.state["runner"]


@pytest.mark.parametrize(
    ("settings", "name", "reason"),
    [
        (("train.steps=20000",), "compile", "20,000 steps are worth compiling a step"),
        (("train.steps=19999",), "eager", "19,999 steps are not worth compiling a step"),
        (("train.steps=20000", "train.stop.seconds=60"), "eager", "60 seconds are not worth compiling a step"),
        (("train.steps=20000", "train.stop.seconds=600"), "compile", "600 seconds are worth compiling a step"),
        (("train.steps=500", "train.stop.seconds=600"), "eager", "600 seconds are not worth compiling a step"),
        (("train.steps=20000", "train.checkpoint_activations=true"), "eager", "eager alone computes activations"),
    ],
)
def test_a_long_run_is_compiled_and_a_short_one_is_not(
    points: Path, training_of: Make, settings: tuple[str, ...], name: str, reason: str
) -> None:
    runner = choose_runner(training_of(points, *settings))
    assert runner.name == name
    assert reason in runner.reason


def test_without_a_compiler_a_run_is_played_by_eager_with_one_line_why(
    points: Path, training_of: Make, play: Play, largest_gap: Gap, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch._inductor

    def fails(*_: object, **__: object) -> None:
        raise ValueError("no compiler is here\nand more of that")

    monkeypatch.setattr(torch._inductor, "compile", fails)
    training = training_of(points, "train.runner=compile")
    training.runner = choose_runner(training)
    with pytest.warns(UserWarning, match=r"torch's compiler failed: ValueError: no compiler is here Going on") as said:
        found = play(training, 20)
    assert len(said) == 1
    assert isinstance(training.runner, EagerRunner)
    assert largest_gap(found, play(training_of(points), 20)) == 0.0


@pytest.mark.parametrize("dies", [True, False])
def test_ctrl_c_while_a_step_is_compiled_stops_the_run_before_it_and_says_nothing_of_compilers(
    points: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    """A terminal tells all that runs in it to stop."""
    import torch._inductor

    asked = []

    def told_to_stop(piece: fx.GraphModule, *_: object, **__: object) -> fx.GraphModule:
        if not asked:
            signal.raise_signal(signal.SIGINT)  # once: a second is obeyed at once
        asked.append(piece)
        if dies:
            raise ValueError("its compiler died of a signal")
        return piece

    settings = ["train.runner=compile"]
    with monkeypatch.context() as patched:
        patched.setattr(torch._inductor, "compile", told_to_stop)
        run = ganzoo.train(points, out=tmp_path / "run", device="cpu", overrides=settings, quiet=True)
    assert (run.status, run.step, run.facts["runner"]) == ("interrupted", 1, "compile")
    assert [row["step"] for row in run.metrics] == [1]
    monkeypatch.setattr(torch._inductor, "compile", lambda piece, given, options: piece)
    straight = ganzoo.train(points, out=tmp_path / "straight", device="cpu", overrides=settings, quiet=True)
    resumed = ganzoo.resume(tmp_path / "run", device="cpu", quiet=True)
    assert [row["step"] for row in resumed.metrics] == [row["step"] for row in straight.metrics]
    for file in sorted(straight.checkpoint.glob("*.safetensors")):
        assert file.read_bytes() == (resumed.checkpoint / file.name).read_bytes(), file.name


@pytest.mark.slow
def test_a_run_that_is_compiled_and_stopped_ends_as_if_it_had_not_been(points: Path, tmp_path: Path) -> None:
    settings = ["train.runner=compile", "ema.every=2", 'regularizer=[{name="r1", every=3}]']
    straight = ganzoo.train(points, out=tmp_path / "straight", device="cpu", overrides=settings, quiet=True)
    ganzoo.train(points, out=tmp_path / "run", device="cpu", overrides=settings, steps=30, quiet=True)
    resumed = ganzoo.resume(tmp_path / "run", device="cpu", steps=50, quiet=True)
    assert straight.facts["runner"] == resumed.facts["runner"] == "compile"
    last = "checkpoints/step-00000050"
    for file in sorted((straight.directory / last).glob("*.safetensors")):
        assert file.read_bytes() == (resumed.directory / last / file.name).read_bytes(), file.name
    assert json.loads((resumed.directory / "run.json").read_text())["step"] == 50
