"""Rounds that are captured, in both ways: as a GPU does it, with a stand-in for the capture itself, and as a CPU does
it, without the compiler, so that what is compared is what was taken down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ganzoo.training.runners.compiled_rounds import CompiledRoundsRunner
from ganzoo.training.runners.cuda_graph_rounds import CapturedRoundsRunner, rounds_per_graph
from ganzoo.training.runners.eager import EagerRunner
from ganzoo.training.runners.operation_recorder import OperationRecorder, difference
from ganzoo.training.state import Training

Make = Callable[..., Training]
Play = Callable[[Training, int], Checkpoint]
Gap = Callable[[Checkpoint, Checkpoint], float]

STEPS = 50


class FakeGraphCapture:
    """What a CUDA graph does, on the CPU: `capture` leaves no trace, a replay does the same again to the same memory.

    A graph holds operations, numbers and addresses, and knows nothing of what Python would say at a replay. Its first
    two replays are watched, and have to be the recorded operations on the recorded memory, with the recorded numbers.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.recorded = 0
        self.replayed = 0

    def run(self, work: Callable[[], None]) -> None:
        work()

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        with unchanged(self.training), OperationRecorder() as recorded:
            work()
        self.recorded += 1

        looks = [None, None]

        def replay() -> None:
            if looks:
                looks.pop()
                with OperationRecorder() as replayed:
                    work()
                assert difference(recorded, replayed) is None
            else:
                work()
            self.replayed += 1

        return replay


class unchanged:
    """Afterwards every tensor of the run, and every random stream, is as it was: nothing was played."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def tensors(self) -> Iterator[Tensor]:
        training = self.training
        yield from (value for value in training.game.state_dict(keep_vars=True).values() if isinstance(value, Tensor))
        for player in training.players.values():
            for state in player.optimizer.state.values():
                yield from (value for value in state.values() if isinstance(value, Tensor))
        for average in (training.averages.averaged if training.averages else {}).values():
            yield from average.state_dict(keep_vars=True).values()
        yield from training.means.sums.values()
        assert isinstance(training.runner, CapturedRoundsRunner)
        yield training.runner.feed.position

    def __enter__(self) -> None:
        self.kept = [(tensor, tensor.detach().clone()) for tensor in self.tensors()]
        self.stream = torch.get_rng_state()

    def __exit__(self, *_: object) -> None:
        torch.set_rng_state(self.stream)
        with torch.no_grad():
            for tensor, before in self.kept:
                tensor.copy_(before)


GAMES: dict[str, tuple[str, ...]] = {
    "plain": (),
    "averages and a schedule": ("ema.every=3", 'schedule.generator.name="linear-decay"', "ema.decay=0.9"),
    "lazy penalty": ('regularizer=[{name="r1", every=3}]',),
    "clipped critic": (
        "game.n_critic=3",
        'loss.name="wasserstein"',
        'regularizer=[{name="weight-clip"}]',
        'optimizer.discriminator.name="rmsprop"',
    ),
    "gradient penalty": ("game.n_critic=2", 'loss.name="wasserstein"', 'regularizer=[{name="gradient-penalty"}]'),
    "momentum": ('optimizer.generator.name="sgd"', "optimizer.generator.momentum=0.5"),
    "clipped gradients": ("optimizer.generator.clip_norm=0.01", "optimizer.discriminator.clip_norm=0.02"),
    "frozen layers": ('start.freeze=["discriminator.network.1", "generator.network.0.bias"]', "ema.decay=0.9"),
}


def replayed_rounds(training: Training) -> CapturedRoundsRunner:
    return CapturedRoundsRunner(training, "a test", FakeGraphCapture(training))


def traced_rounds(training: Training) -> CapturedRoundsRunner:
    return CompiledRoundsRunner(training, "a test", compile_function=lambda piece, given: piece)


RUNNERS = [replayed_rounds, traced_rounds]
MakeRunner = Callable[[Training], CapturedRoundsRunner]


ROUNDING = 1e-4
"""What 50 steps may differ by, relative to a tensor's largest number, in float32.

On the CPU a replay does the eager operations but for two: learning rates come as float32, a relative error of 2**-24,
and an average is old * kept + new * (1 - kept) in the place of a lerp, 2**-23 an update. Such errors in the weights
grow with training, for what a player learns depends on the other one: some tenfold in 50 steps on these sizes. 50 steps
of 2**-23, tenfold, are 6e-5.
"""


@pytest.mark.parametrize("make_runner", RUNNERS)
@pytest.mark.parametrize("game", GAMES)
def test_fifty_captured_steps_are_fifty_eager_ones(
    points: Path, game: str, make_runner: MakeRunner, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    eager = training_of(points, *GAMES[game])
    static = training_of(points, *GAMES[game])
    static.runner = make_runner(static)
    expected, found = play(eager, STEPS), play(static, STEPS)
    assert largest_gap(found, expected) <= ROUNDING
    for key in ("step", "drawn", "random", "averaged", "optimizers"):
        assert found.state[key] == expected.state[key], key
    assert found.state["means"].keys() == expected.state["means"].keys()
    assert [count for _, count in found.state["means"].values()] == [n for _, n in expected.state["means"].values()]
    assert isinstance(static.runner, CapturedRoundsRunner)
    assert static.runner.graphs


IMAGES: dict[str, tuple[str, ...]] = {
    "dcgan_mnist": ("train.batch_size=4",),
    "wgan_gp_mnist": ("train.batch_size=4", "game.n_critic=2"),
    "cyclegan_glyphs": ("train.batch_size=2", "game.pool=6"),
    "pix2pix_glyphs": ("train.batch_size=2",),
}


@pytest.mark.slow
@pytest.mark.parametrize("make_runner", RUNNERS)
@pytest.mark.parametrize("recipe", IMAGES)
def test_fifty_captured_steps_on_images_are_fifty_eager_ones(
    recipe: str, make_runner: MakeRunner, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    """Batch and instance norm, dropout, pools of images, penalties of convolutions."""
    settings = ("generator.width=4", "discriminator.width=4", *IMAGES[recipe])
    eager, static = (training_of(recipe, *settings) for _ in range(2))
    for training in (eager, static):
        training.averages = None  # which a graph blends with another rounding
        for player in training.players.values():
            player.schedule = None  # whose rates a graph reads as float32
    static.runner = make_runner(static)
    expected, found = play(eager, STEPS), play(static, STEPS)
    assert largest_gap(found, expected) == 0.0
    assert found.state["random"] == expected.state["random"]
    assert static.runner.graphs


@pytest.mark.parametrize("make_runner", RUNNERS)
def test_without_averages_and_schedules_nothing_differs_at_all(
    points: Path, make_runner: MakeRunner, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    eager = training_of(points)
    static = training_of(points)
    static.runner = make_runner(static)
    assert largest_gap(play(static, STEPS), play(eager, STEPS)) == 0.0
    assert eager.gradient_norms() == static.gradient_norms()


def test_several_rounds_go_into_one_replay(points: Path, training_of: Make, play: Play) -> None:
    training = training_of(points)
    stand_in = FakeGraphCapture(training)
    training.runner = CapturedRoundsRunner(training, "a test", stand_in)
    assert rounds_per_graph(training) == 10
    play(training, STEPS)
    # two rounds as they come, eight singly up to the row at 10, then four graphs of ten rounds
    assert (stand_in.recorded, stand_in.replayed) == (2, 8 + 4)


@pytest.mark.parametrize(("often", "stride"), [((50, 400, 1000), 10), ((1, 0, 0), 1), ((0, 0, 0), 10), ((7, 0, 0), 7)])
def test_a_graph_fits_between_any_two_things_that_are_due(
    points: Path, often: tuple[int, ...], stride: int, training_of: Make
) -> None:
    names = ("log_every", "sample_every", "checkpoint_every")
    training = training_of(points, *(f"train.{name}={n}" for name, n in zip(names, often, strict=True)))
    assert rounds_per_graph(training) == stride


def test_the_order_of_batches_is_that_of_eager_across_epochs(points: Path, training_of: Make) -> None:
    """500 points in batches of 32 are 16 batches, so that three draws a round straddle the ends of epochs."""
    seen: dict[str, list[Tensor]] = {"eager": [], "captured": []}
    for name, batches in seen.items():
        training = training_of(points, "game.n_critic=3")
        if name == "captured":
            training.runner = replayed_rounds(training)
            feed = training.runner.feed  # type: ignore[attr-defined]
            feed.prepare(training.draws)
            for _ in range(13):
                feed.prepare(training.draws)
                batches += [feed()["real"].clone() for _ in range(training.draws)]
        else:
            batches += [training.data()["real"] for _ in range(13 * training.draws)]
    assert all(torch.equal(one, other) for one, other in zip(*seen.values(), strict=True))


@pytest.mark.parametrize("make_runner", RUNNERS)
def test_a_run_goes_on_under_the_other_runner_where_this_one_stopped(
    points: Path, tmp_path: Path, make_runner: MakeRunner, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    settings = ("ema.every=2", 'regularizer=[{name="r1", every=3}]', 'schedule.generator.name="linear-decay"')
    straight = training_of(points, *settings)
    expected = play(straight, STEPS)
    for first, second in (("captured", "eager"), ("eager", "captured")):
        half = training_of(points, *settings)
        if first == "captured":
            half.runner = make_runner(half)
        save_checkpoint(tmp_path / first, play(half, 30))
        rest = training_of(points, *settings, seed=0)
        rest.restore(load_checkpoint(tmp_path / first), "a test")
        if second == "captured":
            rest.runner = make_runner(rest)
        found = play(rest, 20)
        assert largest_gap(found, expected) <= ROUNDING
        assert found.state["random"] == expected.state["random"]


@pytest.mark.parametrize("make_runner", RUNNERS)
def test_a_captured_run_resumes_exactly(
    points: Path, tmp_path: Path, make_runner: MakeRunner, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    settings = ("ema.every=2", 'regularizer=[{name="r1", every=3}]', 'schedule.generator.name="linear-decay"')
    straight = training_of(points, *settings)
    straight.runner = make_runner(straight)
    save_checkpoint(tmp_path / "middle", play(straight, 30))
    expected = play(straight, 20)
    rest = training_of(points, *settings)
    rest.restore(load_checkpoint(tmp_path / "middle"), "a test")
    rest.runner = make_runner(rest)
    assert largest_gap(play(rest, 20), expected) == 0.0


@pytest.mark.parametrize("make_runner", RUNNERS)
def test_rows_and_grids_are_those_of_eager(
    points: Path, tmp_path: Path, make_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(run: ganzoo.Run) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in (run.directory / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in row.items() if k not in ("seconds", "samples_per_second")} for row in lines]

    eager = ganzoo.train(points, out=tmp_path / "eager", device="cpu", quiet=True)
    monkeypatch.setattr("ganzoo.training.launch.choose_runner", lambda it, *_: make_runner(it))
    static = ganzoo.train(points, out=tmp_path / "captured", device="cpu", quiet=True)
    assert rows(static) == rows(eager)
    for grid in (eager.directory / "samples").iterdir():
        assert (static.directory / "samples" / grid.name).read_bytes() == grid.read_bytes()


UNCAPTURABLE_PLUGIN = """
import torch
from torch import nn
from ganzoo import Component, Game, Move, hookimpl


@hookimpl
def ganzoo_components():
    return [
        Component("game", "waits", "third_folk:Waits"),
        Component("game", "swaps", "third_folk:Swaps"),
        Component("game", "counts", "third_folk:Counts"),
    ]


class Uncapturable(Game):
    def __init__(self, parts):
        super().__init__()
        self.generator, self.discriminator, self.loss = parts.generator(), parts.discriminator(), parts.loss()
        self.register_buffer("mean", torch.zeros(()))

    def players(self):
        return {"discriminator": self.discriminator, "generator": self.generator}

    def play(self, draw):
        real = draw()["real"]
        with torch.no_grad():
            fake = self.generator(self.generator.latents(len(real)))
        scores = self.discriminator(real)
        self.look(scores.detach())
        yield Move("discriminator", self.loss.discriminator(scores, self.discriminator(fake)))
        fake = self.generator(self.generator.latents(len(real)))
        yield Move("generator", self.loss.generator(self.discriminator(fake), None))

    def look(self, scores):
        pass

    def preview(self, batch):
        with torch.no_grad():
            return {"samples": self.generator(self.generator.latents(len(batch["real"])))}


class Waits(Uncapturable):
    def look(self, scores):
        if scores.device.type != "meta" and scores.mean().item() > 1e9:
            raise RuntimeError("too good")


class Swaps(Uncapturable):
    def look(self, scores):
        self.mean = 0.9 * self.mean + 0.1 * scores.mean()


class Counts(Uncapturable):
    def __init__(self, parts):
        super().__init__(parts)
        self.rounds = 0

    def look(self, scores):
        self.rounds += 1

    def get_extra_state(self):
        return torch.tensor(self.rounds)

    def set_extra_state(self, state):
        self.rounds = int(state)
"""


@pytest.fixture
def uncapturable_plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A plugin with games that no graph can hold, each for another reason."""
    import importlib
    import sys

    from ganzoo.plugins import zoo

    site = tmp_path_factory.mktemp("site")
    (site / "third_folk.py").write_text(UNCAPTURABLE_PLUGIN)
    info = site / "third_folk-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-folk\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganzoo]\nthird_folk = third_folk\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        importlib.invalidate_caches()
        zoo.cache_clear()
        yield
    zoo.cache_clear()
    sys.modules.pop("third_folk", None)


@pytest.mark.parametrize("make_runner", RUNNERS)
@pytest.mark.parametrize(
    ("game", "why"),
    [
        ("waits", r"aten\._local_scalar_dense\.default cannot be captured: the host waits for a number"),
        ("swaps", "could not be captured: Swaps has another tensor as its buffer mean"),
    ],
)
def test_a_game_that_no_graph_can_hold_is_played_by_eager_with_one_line_why(
    points: Path,
    uncapturable_plugin: None,
    game: str,
    why: str,
    make_runner: MakeRunner,
    training_of: Make,
    play: Play,
    largest_gap: Gap,
) -> None:
    eager = training_of(points, f"game.name={game}")
    static = training_of(points, f"game.name={game}")
    static.runner = make_runner(static)
    with pytest.warns(UserWarning, match=why) as said:
        found = play(static, 20)
    assert len(said) == 1
    assert isinstance(static.runner, EagerRunner)
    assert largest_gap(found, play(eager, 20)) == 0.0


@pytest.mark.parametrize("make_runner", RUNNERS)
def test_a_game_that_never_does_the_same_again_says_so(
    points: Path,
    uncapturable_plugin: None,
    make_runner: MakeRunner,
    monkeypatch: pytest.MonkeyPatch,
    training_of: Make,
    play: Play,
    largest_gap: Gap,
) -> None:
    monkeypatch.setattr("ganzoo.training.runners.cuda_graph_rounds.ROUNDS_BEFORE_WARNING", 15)
    eager = training_of(points, "game.name=counts")
    static = training_of(points, "game.name=counts")
    runner = static.runner = make_runner(static)
    with pytest.warns(UserWarning, match="no two of the first 15 rounds were alike"):
        found = play(static, 20)
    assert not runner.graphs
    assert largest_gap(found, play(eager, 20)) == 0.0
