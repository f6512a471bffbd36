"""Networks are compiled where that changes nothing but the speed, and left alone, with a reason, where it would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import ganzoo
from ganzoo.core.game import Move
from ganzoo.errors import TrainingFailed
from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.training.runners.choice import choose_runner
from ganzoo.training.runners.compiled import CompiledNetworksRunner
from ganzoo.training.runners.compiled_rounds import CompiledRoundsRunner
from ganzoo.training.runners.eager import training_step
from ganzoo.training.runners.graph_probe import FrozenPlayersGame, players_to_freeze, probe_game
from ganzoo.training.runners.runner import Runner, UnsupportedByRunner
from ganzoo.training.state import Training

Make = Callable[..., Training]
Play = Callable[[Training, int], Checkpoint]
Gap = Callable[[Checkpoint, Checkpoint], float]

SMALL = ("generator.width=4", "discriminator.width=4", "train.batch_size=2")
FIRST, SECOND = frozenset({"discriminator"}), frozenset({"generator"})
PENALTY = 'regularizer=[{name="gradient-penalty"}]'

ROUNDING = 2e-3
"""What 50 steps may differ by, relative to a tensor's largest number, in float32. A compiled network fuses its
operations and sums in another order, 2**-23 * some hundred terms an operation; Adam divides small gradients by their
own size, so that a rounding of a gradient near zero moves a weight by up to lr at each step, and the players answer
each other. 50 steps of lr = 2e-4, a tenth of them astray, on weights of about 0.5, are 2e-3.
"""


@pytest.fixture
def without_compiling(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """torch.compile as one that only notes what it is given: what is compiled is at stake, and not by what."""
    compiled: list[str] = []

    def note(function: Any, **options: Any) -> Any:
        compiled.append(type(function.__self__).__name__)
        return function

    monkeypatch.setattr(torch, "compile", note)
    return compiled


@pytest.mark.parametrize("every", [1, 3])
def test_what_a_penalty_differentiates_twice_is_not_compiled(
    points: Path, training_of: Make, without_compiling: list[str], every: int
) -> None:
    training = training_of(points, f'regularizer=[{{name="r1", every={every}}}]')
    runner = CompiledNetworksRunner(training, "a test")
    assert without_compiling == ["MLPGenerator"]
    assert runner.reason == "a test; not compiled, for a penalty differentiates it twice: discriminator"


def test_networks_within_networks_are_compiled_with_what_calls_them(
    training_of: Make, without_compiling: list[str]
) -> None:
    training = training_of("cyclegan_glyphs", *SMALL)
    CompiledNetworksRunner(training, "a test")
    assert without_compiling == ["ResNetTranslator"] * 2 + ["PatchDiscriminator"] * 2


@pytest.mark.parametrize(
    ("recipe", "settings", "still"),
    [
        (None, (), (SECOND, FIRST)),
        (None, ("game.n_critic=2", PENALTY), (SECOND, SECOND, FIRST)),
        # what translates during the first move serves the second one, too: it must not be cut off from its weights
        ("cyclegan_glyphs", SMALL, (frozenset(), frozenset({"discriminators"}))),
        ("pix2pix_glyphs", SMALL, (frozenset(), FIRST)),
    ],
)
def test_players_stand_still_wherever_no_gradient_is_lost(
    points: Path, training_of: Make, recipe: str | None, settings: tuple[str, ...], still: tuple[frozenset[str], ...]
) -> None:
    training = training_of(recipe or points, *settings)
    assert players_to_freeze(training, probe_game(training)) == still


@pytest.mark.parametrize("recipe", [None, "cyclegan_glyphs", "pix2pix_glyphs"])
def test_standing_still_changes_no_number(
    points: Path, training_of: Make, play: Play, largest_gap: Gap, recipe: str | None
) -> None:
    runs = []
    for frozen in (False, True):
        training = training_of(recipe or points, *(SMALL if recipe else ()))
        if frozen:
            game: Any = FrozenPlayersGame(training, players_to_freeze(training, probe_game(training)))
            training.runner.advance = lambda most, it=training, game=game: training_step(it, game)  # type: ignore[method-assign]
        runs.append(play(training, 5))
    assert largest_gap(*runs) == 0.0
    assert runs[0].state["random"] == runs[1].state["random"]


def test_a_move_of_somebody_who_should_stand_still_ends_the_run(points: Path, training_of: Make) -> None:
    training = training_of(points)
    game: Any = FrozenPlayersGame(training, (frozenset({"discriminator"}),))
    with pytest.raises((TrainingFailed, RuntimeError), match=r"first round|does not require grad"):
        training_step(training, game)


@pytest.mark.parametrize("settings", [(), ("ema.every=2", 'regularizer=[{name="r1", every=3}]')])
def test_a_rehearsal_leaves_no_trace(
    points: Path, training_of: Make, play: Play, largest_gap: Gap, settings: tuple[str, ...]
) -> None:
    straight = training_of(points, *settings)
    rehearsed = training_of(points, *settings)
    expected = play(straight, 7)
    play(rehearsed, 3)
    before = (torch.get_rng_state(), rehearsed.gradient_norms())
    with rehearsed.rehearsed():
        for _ in range(4):
            rehearsed.advance()
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == rehearsed.gradient_norms()
    found = play(rehearsed, 4)
    assert largest_gap(found, expected) == 0.0
    for key in ("step", "drawn", "random", "means", "averaged", "optimizers"):
        assert found.state[key] == expected.state[key], key


def test_where_compiling_fails_the_networks_are_left_as_they_were_and_one_line_says_why(
    points: Path, training_of: Make, play: Play, largest_gap: Gap, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(function: Any, **options: Any) -> Any:
        def call(*arguments: Any) -> Any:
            raise RuntimeError("No working C++ compiler found\nand much more")

        return call

    monkeypatch.setattr(torch, "compile", no_compiler)
    training = training_of(points)
    with pytest.raises(
        UnsupportedByRunner, match=r"^torch.compile failed: RuntimeError: No working C\+\+ compiler found$"
    ):
        CompiledNetworksRunner(training, "a test")
    assert largest_gap(play(training, 10), play(training_of(points), 10)) == 0.0


def test_where_every_network_is_differentiated_twice_nothing_is_compiled(points: Path, training_of: Make) -> None:
    training = training_of(points, 'regularizer=[{name="r1"}]')
    game: Any = training.game
    plain = type(game).play

    def flat(self: Any, draw: Any) -> Any:
        """The generator's own output shall not depend much on its latents: a penalty on the other network, too."""
        for move in plain(self, draw):
            if move.player == "generator":
                latents = self.generator.latents(8).requires_grad_()
                (slope,) = torch.autograd.grad(self.generator(latents).sum(), latents, create_graph=True)
                move = Move("generator", move.loss + slope.square().mean())
            yield move

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(game), "play", flat)
        assert probe_game(training).differentiated_twice == {"generator", "discriminator"}
        with pytest.raises(UnsupportedByRunner, match="every network is under a gradient penalty"):
            CompiledNetworksRunner(training, "a test")


def test_a_cpu_has_no_cuda_graphs(points: Path, training_of: Make) -> None:
    runner = choose_runner(training_of(points, "train.runner=cudagraph"))
    assert (runner.name, runner.reason) == ("eager", "cudagraph was asked for: a cpu has no CUDA graphs")


CASES = {
    "vanilla": (None, ()),
    "penalty": (None, ("game.n_critic=2", PENALTY)),
    "dcgan": ("dcgan_mnist", ('dataset.name="glyphs"', *SMALL)),
    "cyclegan": ("cyclegan_glyphs", ("game.pool=0", *SMALL)),  # no round is like another while a pool fills
    "pix2pix": ("pix2pix_glyphs", SMALL),
}

STEPS = {"cyclegan": 1, "pix2pix": 1}
"""Of compiled ones; of the others 50. Instance norm over a few pixels amplifies: two eager runs of cyclegan, one begun
with its weights off by 2**-24 of themselves, are as far apart after 50 steps (2.1 of a tensor's largest number) as a
compiled and an eager one (1.9), and no bound on that says anything.
"""


def networks(training: Training) -> Runner:
    return CompiledNetworksRunner(training, "a test")


def rounds(training: Training) -> Runner:
    return CompiledRoundsRunner(training, "a test")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("of", [networks, rounds])
@pytest.mark.parametrize("case", CASES)
def test_compiled_steps_are_eager_ones(
    points: Path, training_of: Make, play: Play, largest_gap: Gap, case: str, of: Callable[[Training], Runner]
) -> None:
    """Compiles for real, which takes up to minutes."""
    recipe, settings = CASES[case]
    straight = training_of(recipe or points, *settings)
    training = training_of(recipe or points, *settings)
    training.runner = runner = of(training)
    steps = STEPS.get(case, 50) + (of is rounds)  # the first of which is played as it comes
    found, expected = play(training, steps), play(straight, steps)
    assert training.runner is runner
    assert not isinstance(runner, CompiledRoundsRunner) or runner.graphs
    gap = largest_gap(found, expected)
    print(f"{case}, {of.__name__}: {gap:.1e}")
    assert gap <= ROUNDING
    for key in ("step", "drawn", "random", "averaged"):
        assert found.state[key] == expected.state[key], key


@pytest.mark.slow
def test_grids_are_drawn_uncompiled(points: Path, tmp_path: Path) -> None:
    run = ganzoo.train(points, out=tmp_path / "run", device="cpu", overrides=["train.runner=compile"], quiet=True)
    assert run.facts["runner"] == "compile"
    assert len(list((run.directory / "samples").iterdir())) == 4
