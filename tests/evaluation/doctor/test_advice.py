"""What the doctor advises is taken by the recipe of the run, whatever its game, its options and its samples are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import ganzoo
from ganzoo.evaluation.doctor.advice import Advice
from ganzoo.evaluation.doctor.diagnosis import examine
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.live import DoctorObserver

Install = Callable[[str, str], None]

PLUGIN = '''
import torch
from ganzoo import Component, Dataset, DatasetInfo, Examples, Field, Optimizer, TwoPlayer, hookimpl


@hookimpl
def ganzoo_components():
    return [
        Component("game", "strict", "patient:Strict"),
        Component("game", "seen", "patient:Seen"),
        Component("dataset", "samples", "patient:Samples"),
    ]


class Strict(TwoPlayer):
    """A game without options and regularizers."""

    def __init__(self, parts):
        super().__init__(Without(parts))


class Without:
    """The parts, but for regularizers, which are never asked for."""

    def __init__(self, parts):
        self.parts = parts

    def __getattr__(self, name):
        return getattr(self.parts, name)

    def regularizers(self):
        return ()


class Samples(Dataset):
    """Samples of any shape that the kinds of ganzoo have."""

    def __init__(self, *, shape: tuple[int, ...] = (3,)) -> None:
        self.shape = tuple(shape)

    def info(self, root):
        kind, dtype = ("image", "uint8") if len(self.shape) == 3 else ("point", "float32")
        return DatasetInfo(fields={"real": Field(self.shape, dtype)}, size=600, kind=kind)

    def load(self, root, split="train"):
        draw = torch.Generator().manual_seed(len(split))
        if len(self.shape) == 3:
            real = torch.randint(256, (600, *self.shape), dtype=torch.uint8, generator=draw)
        else:
            real = torch.randn(600, *self.shape, generator=draw)
        return Examples(tensors={"real": real}, checksum=f"sha256:{split}", origin="a test")
'''.replace("Optimizer, ", "").replace('        Component("game", "seen", "patient:Seen"),\n', "")

RECIPE = """
description = "a patient"
[game]
name = "GAME"
[generator]
name = "mlp"
latent_dim = 4
hidden = [8]
output = "none"
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "minimax"
[dataset]
name = "samples"
shape = SHAPE
[optimizer.generator]
name = "adam"
lr = 0.001
betas = [0.9, 0.999]
[optimizer.discriminator]
name = "rmsprop"
lr = 0.001
momentum = 0.5
[train]
steps = 200
batch_size = 16
log_every = 1
sample_every = 0
"""

SHAPES = ["[3]", "[1]", "[5, 8, 8]", "[4, 8, 12]", "[1, 4, 4]"]

SICK = {
    "strong": {"loss/discriminator": 0.0001, "d_real": 0.999, "d_fake": 0.001},
    "weak": {"loss/discriminator": 0.9, "d_real": 0.4, "d_fake": 0.6},
    "exploding": {"grad/discriminator": 1e5},
    "divergence": {"loss/generator": 1e9},
    "oscillation": {"loss/discriminator": [0.05, 1.2]},
}
HEALTHY = {
    "loss/discriminator": 0.36,
    "loss/generator": 1.6,
    "d_real": 0.74,
    "d_fake": 0.27,
    "grad/discriminator": 4.0,
    "grad/generator": 7.0,
}

Patient = Callable[..., ganzoo.Run]


@pytest.fixture
def patient(tmp_path: Path, install_plugin: Install) -> Patient:
    """A run of no step, whose rows say what somebody wrote: (game, shape of samples, numbers of the rows)."""
    install_plugin("patient", PLUGIN)

    def made(game: str, shape: str = "[3]", **numbers: object) -> ganzoo.Run:
        recipe = tmp_path / "patient.toml"
        recipe.write_text(RECIPE.replace("GAME", game).replace("SHAPE", shape))
        run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True, train__steps=1)
        rows = [{"step": 5 * row, **HEALTHY, **{k: at(v, row) for k, v in numbers.items()}} for row in range(1, 41)]
        run.files.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return run

    return made


def at(value: object, row: int) -> object:
    return value[row % len(value)] if isinstance(value, list) else value


def lines_of(run: ganzoo.Run) -> dict[str, tuple[str, ...]]:
    return {finding.name: finding.change for finding in examine(run).findings}


def plays(run: ganzoo.Run, line: str, tmp_path: Path) -> bool:
    """Whether ganzoo itself trains the recipe with the line, as a user would."""
    number = len(list(tmp_path.glob("with-*")))
    again = ganzoo.train(
        run.files.recipe, steps=1, out=tmp_path / f"with-{number}", device="cpu", quiet=True, overrides=[line]
    )
    return again.recipe.values != run.recipe.values


@pytest.mark.parametrize("game", ["two-player", "strict"])
@pytest.mark.parametrize("sick", list(SICK))
def test_each_line_of_advice_is_taken_by_the_recipe(patient: Patient, tmp_path: Path, game: str, sick: str) -> None:
    run = patient(game, **SICK[sick])
    found = lines_of(run)
    assert found
    assert all(found.values())  # there is always something to try
    lines = [line for lines in found.values() for line in lines]
    assert all(plays(run, line, tmp_path) for line in lines)
    if game == "strict":
        assert not any(line.startswith(("regularizer", "game.")) for line in lines)


def test_a_regularizer_is_advised_to_a_game_that_applies_it(patient: Patient) -> None:
    assert (
        'regularizer = [{ name = "r1", weight = 5.0 }]'
        in lines_of(patient("two-player", **SICK["strong"]))["discriminator-too-strong"]
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_of_any_shape_are_examined(patient: Patient, tmp_path: Path, shape: str) -> None:
    """Points of three numbers and of one, images of many channels, upright ones, and of fewer pixels than near copies
    are looked for in: the generator that never learned is seen to make one thing."""
    run = patient("strict", shape)
    found = examine(run)
    assert not found.not_examined
    assert any(line.startswith("samples: 1,000 of step 1, in coarse features") for line in found.checked)
    for finding in found.findings:
        assert finding.change
        assert all(plays(run, line, tmp_path) for line in finding.change)


def test_where_no_change_fits_the_other_ones_are_given(patient: Patient) -> None:
    advice = Advice(patient("strict"))

    def finding(*change: str, otherwise: tuple[str, ...] = ()) -> Finding:
        return Finding(
            name="a", severity="note", seen="", figures={}, means="", change=change, paper="", steps=(0, 1),
            otherwise=otherwise,
        )  # fmt: skip

    refused = ('regularizer = [{ name = "r1" }]', "game.n_critic = 2", "generator.depth = 3", "loss.name = minimax")
    assert advice.given(finding(*refused)).change == ()
    assert advice.first(finding(*refused)) is None
    halved = finding(*refused, otherwise=("optimizer.generator.lr = 0.0005",))
    assert advice.given(halved).change == ("optimizer.generator.lr = 0.0005",)
    assert advice.first(halved) == "optimizer.generator.lr = 0.0005"
    assert "otherwise" not in advice.given(halved).to_json()


def test_what_is_set_already_is_not_advised(patient: Patient) -> None:
    assert not Advice(patient("two-player")).fits("optimizer.generator.lr = 0.001")


def test_the_console_advises_only_what_the_recipe_takes(patient: Patient) -> None:
    run = patient("strict", **SICK["oscillation"])
    notes: list[tuple[str, str]] = []
    watch = DoctorObserver(lambda label, text: notes.append((label, text)))
    rows = run.metrics
    run.files.metrics.write_text("")
    watch.ganzoo_run_started(run)
    for row in rows:
        watch.ganzoo_metrics(row)
    assert [text.partition(":")[0] for _, text in notes] == ["oscillation"]
    assert notes[0][1].endswith("; try optimizer.generator.betas = [0.0, 0.9]")


def test_half_of_a_budget_in_epochs_is_in_epochs(course: Callable[..., object], sampled: Callable[..., object]) -> None:
    """train.steps beside train.epochs would be two budgets."""
    from ganzoo.evaluation.doctor.memorisation import changes

    assert changes(course(overrides=["train.epochs=10"]))[0] == "train.epochs = 5"  # type: ignore[arg-type]
    assert changes(course(recipe="wgan_mnist", overrides=["train.steps=30"]))[0] == "train.steps = 15"  # type: ignore[arg-type]
