"""A run of a conditional GAN, as somebody uses it in Python: what may be asked for, and what is shown unasked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import ganzoo
from ganzoo.core.data import Field
from ganzoo.display.report.page import page
from ganzoo.errors import RecipeError, RunError
from ganzoo.evaluation.cards.card import make_card
from ganzoo.evaluation.doctor.samples import collect_samples
from ganzoo.runs.conditions import Conditions

CONDITIONAL = ("generator.conditional=true", "discriminator.conditional=true")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty coloured pictures in folders of three names."""
    root = tmp_path_factory.mktemp("pictures")
    colours = np.random.default_rng(0)
    for name in ("forest", "lake", "true"):
        (root / name).mkdir()
        for number in range(20):
            pixels = colours.integers(256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def run(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> ganzoo.Run:
    return train(folders, tmp_path_factory.mktemp("runs") / "run")


def train(folders: Path, out: Path, **options: Any) -> ganzoo.Run:
    settings = (
        "generator.hidden=[16]",
        "discriminator.hidden=[16]",
        "dataset.name=image-folder",
        f"dataset.path={folders}",
    )
    rest = ("train.batch_size=8", "train.samples=16", "train.sample_every=3", "train.log_every=2")
    options = {"overrides": (*settings, *rest, *CONDITIONAL), "steps": 6} | options
    return ganzoo.train("vanilla_mnist", out=out, device="cpu", fallback=False, quiet=True, **options)


@pytest.mark.parametrize(
    "label",
    [
        [2, 0, 1, 2],
        (2, 0, 1, 2),
        ["true", "forest", "lake", "true"],
        ["2", 0, "lake", 2],
        torch.tensor([2, 0, 1, 2]),
        torch.tensor([2, 0, 1, 2], dtype=torch.int32),
        np.array([2, 0, 1, 2]),
        np.array(["true", "forest", "lake", "true"]),
    ],
)
def test_labels_may_be_numbers_or_names_in_a_list_an_array_or_a_tensor(run: ganzoo.Run, label: Any) -> None:
    samples, conditions = run.draw(4, seed=3, conditions={"label": label})
    assert conditions["label"].tolist() == [2, 0, 1, 2]
    assert torch.equal(samples, run.sample(4, seed=3, label=[2, 0, 1, 2]))
    assert torch.equal(samples, run.sample(4, seed=3, label=label))
    assert not torch.equal(samples, run.sample(4, seed=3, label=[0, 0, 1, 2]))


@pytest.mark.parametrize("label", [1, "1", "lake", torch.tensor(1), np.int64(1), [1], torch.tensor([1])])
def test_one_label_is_for_all_samples(run: ganzoo.Run, label: Any) -> None:
    _, conditions = run.draw(5, conditions={"label": label})
    assert conditions["label"].tolist() == [1] * 5


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"label": 3}, "there is no class 3"),
        ({"label": -1}, "there is no class -1"),
        ({"label": "forrest"}, "Did you mean forest?"),
        ({"label": True}, "there is no class True"),
        ({"label": None}, "there is no class None"),
        ({"label": [0, 1]}, "one for each of the 4 samples"),
        ({"label": [0, 1, 2, 3]}, "there is no class 3"),
        ({"label": torch.tensor([0, 1, 2, 3])}, "whole numbers from 0 to 2"),
        ({"label": torch.tensor([0.5, 1, 2, 2])}, "whole numbers from 0 to 2"),
        ({"label": torch.zeros(4, 1, dtype=torch.int64)}, "whole numbers from 0 to 2"),
        ({"label": []}, "whole numbers from 0 to 2"),
        ({"labels": 1}, "Did you mean label?"),
        ({"options": {"trunkation": 0.5}}, "Did you mean truncation?"),
        ({"options": {"truncation": "wide"}}, "truncation"),
        ({"options": {"conditions": 1}}, "conditions"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_what_can(run: ganzoo.Run, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(RunError, match=said):
        run.sample(4, **asked)


def test_labels_that_nobody_asked_for_are_as_frequent_as_in_the_data(run: ganzoo.Run) -> None:
    kept = torch.tensor([0] * 90 + [2] * 10)
    path = run.directory / "kept.safetensors"
    save_file({"label": kept}, path)
    found = Conditions(("label",), run.kinds, path).complete(2000, {})
    path.unlink()
    assert found is not None
    shares = found["label"].bincount(minlength=3) / 2000
    assert shares.tolist() == pytest.approx([0.9, 0.0, 0.1], abs=0.03)  # four standard deviations of 0.0067


def test_a_truncated_sample_is_more_typical_and_still_of_its_class(run: ganzoo.Run) -> None:
    wide = run.sample(200, label=1)
    narrow, conditions = run.draw(200, options={"truncation": 0.1}, conditions={"label": 1})
    assert conditions["label"].tolist() == [1] * 200
    assert narrow.std(dim=0).mean() < wide.std(dim=0).mean() / 3


def test_conditions_that_are_left_open_go_with_the_labels_that_are_given(run: ganzoo.Run, tmp_path: Path) -> None:
    """Of each class the data know one shade only."""
    labels = torch.arange(60) % 3
    save_file({"label": labels, "shade": labels.float() * 10}, tmp_path / "kept.safetensors")
    kinds = run.kinds
    kinds.info = ganzoo.DatasetInfo(fields={**kinds.info.fields, "shade": Field((), "float32", "condition")}, size=60)
    kinds.kinds = {**kinds.kinds, "shade": None}
    conditions = Conditions(("label", "shade"), kinds, tmp_path / "kept.safetensors")
    found = conditions.complete(6, {"label": [2, 1, 0, 0, 1, 2]})
    assert found is not None
    assert found["shade"].tolist() == [20, 10, 0, 0, 10, 20]
    assert conditions.cycle_labels(6)["shade"].tolist() == [0, 10, 20, 0, 10, 20]  # type: ignore[index]


def test_grids_in_training_by_run_and_in_a_notebook_have_a_column_for_each_class(run: ganzoo.Run) -> None:
    """Of 16 samples of three classes: five rows of three, 8 pixels and 2 between them."""
    of_training = sorted((run.directory / "samples").glob("*.png"))
    assert len(of_training) == 3
    for path in of_training:
        with Image.open(path) as grid:
            assert grid.size == (3 * 10 + 2, 5 * 10 + 2)
    assert run.grid(16).size == (3 * 10 + 2, 5 * 10 + 2)
    content = run._repr_png_()
    assert content is not None
    assert Image.open(io.BytesIO(content)).size == (3 * 10 + 2, 21 * 10 + 2)
    pixels = np.asarray(run.grid(16))[2:].reshape(5, 10, 32, 3)[:, :8, 2:10]
    samples = run.sample(15, label=torch.arange(15) % 3)[::3]
    first_column = ((samples + 1) * 127.5).round().permute(0, 2, 3, 1)
    assert np.abs(pixels - first_column.numpy()).max() <= 1


def test_a_walk_keeps_each_samples_class(run: ganzoo.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []
    forward = type(run.generator).forward

    def listening(self: Any, latents: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        asked.append(label.tolist())
        return forward(self, latents, label)  # type: ignore[no-any-return, call-arg]

    monkeypatch.setattr(type(run.generator), "forward", listening)
    run.interpolate(rows=4, steps=3)
    run.interpolate(rows=2, steps=3, label=["lake", "true"])
    run.walk(2, stops=2, frames=1, label="lake")
    shown = [[0, 1, 2, 0]] * 3 + [[1, 2]] * 3 + [[1, 1]] * 2
    assert [
        labels[: len(row)] for labels, row in zip(asked, shown, strict=True)
    ] == shown  # the rest fills the batch up


def test_report_comparison_and_card_show_what_was_made(run: ganzoo.Run, folders: Path, tmp_path: Path) -> None:
    other = train(folders, tmp_path / "other", seed=1)
    report = page(run)
    assert report.count("data:image/png") == 3
    assert "conditional = true" in report
    assert "train.seed" in ganzoo.compare([run, other]).settings
    shown = Image.open(io.BytesIO(make_card([run, other]).figure()))
    assert shown.size == (3 * 10 + 2, 5 * 10 + 2)


def test_the_doctor_draws_samples_with_labels_as_in_the_data(run: ganzoo.Run) -> None:
    sampled = collect_samples(run, n=60)
    assert sampled.labels == ("forest", "lake", "true")
    counts = sampled.fake.conditions["label"].bincount(minlength=3)
    assert counts.min() > 8
    assert len(sampled.real.conditions["label"]) == len(sampled.real)
    assert isinstance(ganzoo.diagnose(run), list)


def test_a_resumed_conditional_run_ends_with_the_same_weights(run: ganzoo.Run, folders: Path, tmp_path: Path) -> None:
    begun = train(folders, tmp_path / "begun", steps=3)
    resumed = ganzoo.resume(begun.directory, steps=6, device="cpu", quiet=True)
    theirs = run.game.state_dict()
    for name, weights in resumed.game.state_dict().items():
        assert torch.equal(weights, theirs[name]), name


@pytest.mark.parametrize(
    ("conditional", "said"),
    [
        ("generator", "the generator is conditioned on label and the discriminator is not"),
        ("discriminator", "the discriminator is conditioned on label and the generator is not"),
    ],
)
def test_a_label_that_only_one_player_knows_is_refused_before_training(
    folders: Path, tmp_path: Path, conditional: str, said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        train(folders, tmp_path / "run", overrides=[f"{conditional}.conditional=true"])
    assert not (tmp_path / "run").exists()


def test_conditional_networks_need_data_with_classes(folders: Path, tmp_path: Path) -> None:
    overrides = ["dataset.name=image-folder", f"dataset.path={folders / 'lake'}", *CONDITIONAL]
    with pytest.raises(RecipeError, match="conditional = true takes labels, and the data have none") as refused:
        train(folders, tmp_path / "run", overrides=overrides)
    assert "conditional = false" in str(refused.value)
    assert not (tmp_path / "run").exists()
