"""What a user holds after a run, and what lies in its directory."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo.core.latents import slerp
from ganzoo.errors import DatasetUnavailable, GanzooError, RecipeError, RunError, TrainingFailed

POINTS = """
[generator]
name = "mlp"
latent_dim = 2
hidden = [8]
output = "none"
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "hinge"
[dataset]
name = "gaussians"
size = 200
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[ema]
[train]
steps = 12
batch_size = 16
log_every = 5
sample_every = 6
checkpoint_every = 4
keep = 2
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "points.toml"
    path.write_text(POINTS)
    return path


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A data root with 40 random 28x28 pictures in MNIST's files."""
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    pixels = torch.randint(256, (40, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for split in ("train", "t10k"):
        images = struct.pack(">4i", 0x803, 40, 28, 28) + pixels.numpy().tobytes()
        (folder / f"{split}-images-idx3-ubyte").write_bytes(images)
        labels = struct.pack(">2i", 0x801, 40) + bytes(number % 10 for number in range(40))
        (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return tmp_path / "data"


def small(recipes: Path, tmp_path: Path) -> Path:
    """The vanilla recipe with networks that train in no time."""
    path = tmp_path / "small.toml"
    path.write_text(
        f'extends = "{recipes / "vanilla_mnist.toml"}"\n[generator]\nhidden = [8]\n[discriminator]\nhidden = [8]\n'
    )
    return path


def test_the_directory_holds_what_the_design_promises(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    found = {str(path.relative_to(run.directory)) for path in run.directory.rglob("*") if path.is_file()}
    assert {"recipe.toml", "run.json", "metrics.jsonl"} <= found
    assert {name for name in found if name.startswith("samples")} == {
        f"samples/step-{step:08d}.png" for step in (0, 6, 12)
    }
    last = "checkpoints/step-00000012"
    assert {name.removeprefix(f"{last}/") for name in found if name.startswith(last)} == {
        "generator.safetensors",
        "discriminator.safetensors",
        "optimizer-generator.safetensors",
        "optimizer-discriminator.safetensors",
        "ema-generator.safetensors",
        "state.json",
    }
    assert sorted(path.name for path in (run.directory / "checkpoints").iterdir()) == ["step-00000008", "step-00000012"]


def test_rows_say_what_is_promised_and_the_last_step_has_one(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    rows = [json.loads(line) for line in (run.directory / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [5, 10, 12]
    promised = {
        "step",
        "epoch",
        "seconds",
        "samples_per_second",
        "loss/generator",
        "loss/discriminator",
        "grad/generator",
        "grad/discriminator",
        "d_real",
        "d_fake",
    }
    assert all(set(row) == promised for row in rows)
    assert rows[-1]["epoch"] == pytest.approx(12 / 13, abs=1e-4)  # 200 points are 13 batches of 16
    assert all(a["seconds"] <= b["seconds"] for a, b in pairwise(rows))


def test_run_json_says_what_ran_on_what(recipe: Path, tmp_path: Path) -> None:
    facts = json.loads((ganzoo.train(recipe, out=tmp_path / "run", quiet=True).directory / "run.json").read_text())
    assert (facts["status"], facts["step"], facts["total_steps"]) == ("finished", 12, 12)
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["plugins"]["ganzoo-vanilla"] == "0.1.0"
    assert facts["dataset"]["checksum"].startswith("sha256:")
    assert facts["dataset"]["fallback"] is None
    assert facts["parameters"] == {"discriminator": 33, "generator": 42}


def test_samples_are_the_same_for_a_seed_and_after_loading(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    first = run.sample(700, seed=1)
    assert first.shape == (700, 2)
    assert torch.equal(first, ganzoo.load(tmp_path / "run").sample(700, seed=1))
    assert not torch.equal(first, run.sample(700, seed=2))
    assert not torch.equal(first, run.sample(700, seed=1, ema=False))


def test_sampling_leaves_the_callers_random_stream_alone(recipe: Path, tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    ganzoo.train(recipe, out=tmp_path / "run", quiet=True).sample(3)
    assert torch.equal(torch.rand(3), expected)


def test_a_run_shows_itself(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    assert repr(run) == f"<Run run: points on gaussians, finished, step 12 of 12, in {tmp_path / 'run'}>"
    content = run._repr_png_()
    assert content is not None
    assert content.startswith(b"\x89PNG")
    page = run._repr_html_()
    assert page is not None
    assert base64.b64encode(content).decode() in page
    assert "<figcaption>Run run: points on gaussians, finished, step 12 of 12, in " in page


def test_a_loaded_run_is_named_by_the_recipe_that_made_it(recipe: Path, tmp_path: Path) -> None:
    made = ganzoo.train(recipe, out=tmp_path / "run", steps=2, quiet=True)
    assert repr(ganzoo.load(tmp_path / "run")) == repr(made)


def test_a_run_that_cannot_be_drawn_shows_no_picture(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", steps=2, quiet=True)

    def refuse(*_: object, **__: object) -> None:
        raise GanzooError("such points cannot be drawn.")

    monkeypatch.setattr(type(run.kinds.sample), "picture", refuse)
    assert (run._repr_png_(), run._repr_html_()) == (None, None)


def test_walks_between_latents_have_as_many_pictures_as_asked_for(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", steps=2, quiet=True)
    assert len(run.walk(5, stops=3, frames=4)) == 12
    assert run.interpolate(rows=3, steps=4).shape == (12, 2)


def test_the_generator_is_a_module_in_evaluation_mode(recipe: Path, tmp_path: Path) -> None:
    generator = ganzoo.train(recipe, out=tmp_path / "run", quiet=True).generator
    assert not generator.training
    assert generator(generator.latents(5)).shape == (5, 2)


def test_options_come_as_keywords_too(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, generator__latent_dim=3, steps=2)
    assert (run.generator.latent_dim, run.step) == (3, 2)


def test_epochs_are_counted_in_steps(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, epochs=2, game__n_critic=3)
    assert run.total_steps == 9  # 26 batches, three a step


def test_listeners_hear_everything_and_cannot_break_the_run(recipe: Path, tmp_path: Path) -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[str] = []

        @ganzoo.hookimpl
        def ganzoo_run_started(self, run: ganzoo.Run) -> None:
            self.heard.append("started")

        @ganzoo.hookimpl
        def ganzoo_metrics(self, step: int) -> None:
            self.heard.append(f"row {step}")

        @ganzoo.hookimpl
        def ganzoo_samples(self, step: int) -> None:
            raise ValueError("this listener is broken")

        @ganzoo.hookimpl
        def ganzoo_checkpoint(self, step: int, path: Path) -> None:
            assert (path / "state.json").exists()
            self.heard.append(f"checkpoint {step}")

        @ganzoo.hookimpl
        def ganzoo_run_finished(self, run: ganzoo.Run) -> None:
            self.heard.append(run.status)

    listener = Listener()
    with pytest.warns(UserWarning, match="this listener is broken"):
        ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[listener])
    rows = ["started", "checkpoint 4", "row 5", "checkpoint 8", "row 10", "checkpoint 12", "row 12", "finished"]
    assert listener.heard == rows


def test_a_loss_that_is_no_number_ends_the_run_and_says_so(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganzoo.core.losses.Hinge.generator", lambda _, fake, real=None: fake.mean() * float("nan"))
    with pytest.raises(TrainingFailed, match=r"step 4: loss/discriminator is nan") as caught:
        ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    assert caught.value.exit_status == 1
    failed = ganzoo.load(tmp_path / "run")
    assert failed.status == "failed"
    assert failed.metrics == []
    assert failed.checkpoint.name == "step-00000000"  # what is broken is not kept


def test_real_files_are_used_where_they_lie(recipes: Path, digits: Path, tmp_path: Path) -> None:
    run = ganzoo.train(small(recipes, tmp_path), out=tmp_path / "run", steps=3, data_root=digits, quiet=True)
    assert (run.facts["dataset"]["name"], run.facts["dataset"]["size"]) == ("mnist", 40)
    assert run.sample(2).shape == (2, 1, 28, 28)


def test_the_fallback_is_used_only_when_needed_and_said(
    recipes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise DatasetUnavailable("MNIST cannot be had: the test says so.", remedy="None.")

    monkeypatch.setattr("ganzoo.datasets.mnist.download", unreachable)
    run = ganzoo.train(small(recipes, tmp_path), out=tmp_path / "run", steps=3, data_root=tmp_path / "no", plain=True)
    assert run.facts["dataset"]["name"] == "glyphs"
    assert run.facts["dataset"]["fallback"]["instead_of"] == "mnist"
    assert capsys.readouterr().out.count("!!! NOT MNIST") == 2
    with pytest.raises(DatasetUnavailable, match="the test says so"):
        ganzoo.train(
            small(recipes, tmp_path), out=tmp_path / "not", data_root=tmp_path / "no", fallback=False, quiet=True
        )
    assert not (tmp_path / "not").exists()


def test_a_directory_with_something_in_it_is_not_touched(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="holds something else"):
        ganzoo.train(recipe, out=tmp_path / "full", quiet=True)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_bad_input_leaves_no_directory(recipe: Path, tmp_path: Path) -> None:
    for wrong in ("generator.hidden=[0]", "generator.sample_shape=[3]", "dataset.size=-1", "loss.name=none"):
        with pytest.raises(RecipeError):
            ganzoo.train(recipe, out=tmp_path / "run", quiet=True, overrides=[wrong])
    assert [path.name for path in tmp_path.iterdir()] == ["points.toml"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        ganzoo.load(tmp_path)


def test_a_walk_keeps_to_the_sphere() -> None:
    torch.manual_seed(0)
    start = torch.nn.functional.normalize(torch.randn(5, 100), dim=1)
    end = torch.nn.functional.normalize(torch.randn(5, 100), dim=1)
    torch.testing.assert_close(slerp(start, end, 0.0), start)
    torch.testing.assert_close(slerp(start, end, 1.0), end)
    torch.testing.assert_close(slerp(start, end, 0.3).norm(dim=1), torch.ones(5))


def test_bfloat16_trains_and_keeps_its_weights_in_float32(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", precision="bf16", quiet=True)
    assert run.facts["precision"] == "bf16"
    assert all(parameter.dtype == torch.float32 for parameter in run.generator.parameters())
