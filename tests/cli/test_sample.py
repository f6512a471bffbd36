"""`ganzoo sample`: each ending, each refusal."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import ganzoo
from ganzoo.cli import exit_status

Captured = pytest.CaptureFixture[str]

IMAGES = """
extends = "vanilla_mnist.toml"
[generator]
latent_dim = 8
hidden = [16]
[discriminator]
hidden = [16]
"""

LABELLED = """
[generator]
conditional = true
[discriminator]
conditional = true
"""

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
[train]
steps = 5
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 random pictures in MNIST's files."""
    root = tmp_path_factory.mktemp("data")
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = torch.randint(256, (100, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (raw / "train-images-idx3-ubyte.gz").write_bytes(
        gzip.compress(struct.pack(">4i", 0x803, 100, 28, 28) + pixels.numpy().tobytes())
    )
    (raw / "train-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, 100) + bytes(range(10)) * 10)
    return root


@pytest.fixture(scope="module")
def digits(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 steps on them."""
    return trained(data, tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def labelled(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a conditional GAN on them."""
    return trained(
        data, tmp_path_factory.mktemp("labelled"), "generator.conditional=true", "discriminator.conditional=true"
    )


def trained(data: Path, folder: Path, *overrides: str) -> Path:
    recipe = folder / "small.toml"
    recipes = Path(__file__).parents[2] / "recipes"
    recipe.write_text(IMAGES.replace("vanilla_mnist.toml", str(recipes / "vanilla_mnist.toml")))
    out = folder / "run"
    ganzoo.train(
        recipe, out=out, steps=20, overrides=overrides, device="cpu", data_root=data, fallback=False, quiet=True
    )
    return out


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("points")
    (folder / "points.toml").write_text(POINTS)
    ganzoo.train(folder / "points.toml", out=folder / "run", device="cpu", quiet=True)
    return folder / "run"


def sample(run: Path, out: Path, *options: object) -> int:
    return exit_status(["sample", str(run), "-o", str(out), *(str(option) for option in options)])


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_png_is_a_grid_of_as_many_as_asked_for(digits: Path, tmp_path: Path, capsys: Captured) -> None:
    assert sample(digits, tmp_path / "grid.png", "-n", 10) == 0
    assert pixels(tmp_path / "grid.png").shape == (3 * 30 + 2, 4 * 30 + 2)
    assert capsys.readouterr().out == f"{tmp_path / 'grid.png'}: 10 samples from run, step 20\n"


def test_a_seed_decides_the_samples(digits: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert sample(digits, tmp_path / f"{name}.png", "--seed", seed) == 0
    assert np.array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png"))
    assert not np.array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "c.png"))


def test_the_averaged_weights_are_used_unless_told_otherwise(digits: Path, tmp_path: Path) -> None:
    run = ganzoo.load(digits)
    assert sample(digits, tmp_path / "ema.npy", "-n", 3) == 0
    assert sample(digits, tmp_path / "now.npy", "-n", 3, "--no-ema") == 0
    assert np.array_equal(np.load(tmp_path / "ema.npy"), run.sample(3, ema=True).numpy())
    assert np.array_equal(np.load(tmp_path / "now.npy"), run.sample(3, ema=False).numpy())
    assert not np.array_equal(np.load(tmp_path / "ema.npy"), np.load(tmp_path / "now.npy"))


def test_arrays_are_float32_in_the_range_of_images_and_say_where_they_are_from(digits: Path, tmp_path: Path) -> None:
    assert sample(digits, tmp_path / "some.npz", "-n", 7, "--seed", 3) == 0
    assert sample(digits, tmp_path / "some.npy", "-n", 7, "--seed", 3) == 0
    with np.load(tmp_path / "some.npz", allow_pickle=False) as found:
        assert set(found) == {"samples", "seed", "step"}
        assert (int(found["seed"]), int(found["step"])) == (3, 20)
        assert (found["samples"].shape, found["samples"].dtype) == ((7, 1, 28, 28), np.float32)
        assert np.abs(found["samples"]).max() <= 1
        assert np.array_equal(found["samples"], np.load(tmp_path / "some.npy", allow_pickle=False))


def test_an_interpolation_has_a_walk_in_each_row(digits: Path, tmp_path: Path, capsys: Captured) -> None:
    assert sample(digits, tmp_path / "walks.png", "--interpolate", "-n", 35) == 0
    assert pixels(tmp_path / "walks.png").shape == (3 * 30 + 2, 10 * 30 + 2)
    assert "3 walks of 10 samples" in capsys.readouterr().out
    samples = ganzoo.load(digits).interpolate(rows=3, steps=10).reshape(3, 10, -1)
    ends = (samples[:, 0] - samples[:, -1]).norm(dim=1)
    steps = (samples[:, 1:] - samples[:, :-1]).norm(dim=2)
    assert (steps.max(dim=1).values < ends / 2).all()  # it goes there in small steps


def test_a_gif_walks_and_comes_back_to_where_it_began(digits: Path, tmp_path: Path) -> None:
    assert sample(digits, tmp_path / "walk.gif", "-n", 4) == 0
    with Image.open(tmp_path / "walk.gif") as shown:
        assert shown.n_frames == 72  # type: ignore[attr-defined]
        frames = []
        for number in (0, 36, 71):
            shown.seek(number)
            frames.append(np.asarray(shown.convert("L"), dtype=float))
    first, middle, last = frames
    assert np.abs(first - last).mean() < np.abs(first - middle).mean() / 2


def test_points_are_drawn_over_real_ones(points: Path, tmp_path: Path) -> None:
    for name, *options in (("plot.png",), ("walks.png", "--interpolate"), ("walk.gif", "-n", 50)):
        assert sample(points, tmp_path / name, *options) == 0
    assert (pixels(tmp_path / "plot.png") == [0xB0, 0xB0, 0xB0]).all(axis=-1).any()
    assert (pixels(tmp_path / "walks.png") == [0xB0, 0xB0, 0xB0]).all(axis=-1).any()
    with Image.open(tmp_path / "walk.gif") as shown:
        assert (shown.size, shown.n_frames) == ((500, 500), 72)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("grid.jpg", (), '".jpg" is no ending'),
        ("grid", (), "it has no ending"),
        ("no/folder/grid.png", (), "there is no folder"),
        ("a.npy", ("--interpolate",), "--interpolate makes pictures"),
        ("a.png", ("-n", 0), "0 is not in the range"),
        ("a.png", ("--seed", -1), "-1 is not in the range"),
        ("a.png", ("--seed", 2**70), "is not in the range"),
        ("a.png", ("--label", 3), 'samples of this run have no condition "label"'),
        ("a.png", ("--condition", "label=3"), 'samples of this run have no condition "label"'),
        ("a.png", ("--condition", "label"), "this should be NAME=VALUE"),
        ("a.png", ("--option", "trunkation=0.7"), "Did you mean truncation?"),
        ("a.png", ("--option", "truncation=-1"), "truncation"),
        ("a.gif", ("--option", "truncation=0.7"), "a walk has none"),
    ],
)
def test_what_cannot_be_made_is_refused_with_one_message(
    name: str, options: tuple[object, ...], said: str, digits: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert sample(digits, tmp_path / name, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_written_over(digits: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "grid.png").mkdir()
    assert sample(digits, tmp_path / "grid.png") == 2
    assert "is a folder" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_said_and_nothing_is_left(
    digits: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes, *, synced: bool = True) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganzoo.kinds.pictures.replace_file", full)
    assert sample(digits, tmp_path / "grid.png") == 2
    assert f"{tmp_path / 'grid.png'}: cannot be written: No space left on device" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_said(tmp_path: Path, capsys: Captured) -> None:
    assert sample(tmp_path / "missing", tmp_path / "grid.png") == 2
    assert "is not a run" in capsys.readouterr().err


class TestLabels:
    """A conditional GAN: each sample is a picture as bright as its label."""

    @pytest.fixture(autouse=True)
    def bright(self, labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def forward(self: object, latents: Tensor, label: Tensor) -> Tensor:
            assert len(label) == len(latents)
            return (label / 10).reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28)

        monkeypatch.setattr(type(ganzoo.load(labelled).generator), "forward", forward)

    @pytest.mark.parametrize("asked", [("--label", 7), ("--label", "7"), ("--condition", "label=7")])
    def test_one_class_is_sampled(self, asked: tuple[object, ...], labelled: Path, tmp_path: Path) -> None:
        assert sample(labelled, tmp_path / "sevens.npz", "-n", 5, *asked) == 0
        with np.load(tmp_path / "sevens.npz") as found:
            assert found["label"].tolist() == [7] * 5
            assert np.allclose(found["samples"], 0.7)

    def test_each_sample_may_have_a_class_of_its_own(self, labelled: Path, tmp_path: Path) -> None:
        assert sample(labelled, tmp_path / "some.npz", "-n", 3, "--condition", "label=[3, 1, 4]") == 0
        with np.load(tmp_path / "some.npz") as found:
            assert found["label"].tolist() == [3, 1, 4]
            assert np.allclose(found["samples"][:, 0, 0, 0], [0.3, 0.1, 0.4])

    def test_an_archive_holds_the_labels_that_were_drawn_where_none_is_asked_for(
        self, labelled: Path, tmp_path: Path
    ) -> None:
        assert sample(labelled, tmp_path / "any.npz", "-n", 50) == 0
        with np.load(tmp_path / "any.npz") as found:
            assert set(found) == {"samples", "label", "seed", "step"}
            assert len(set(found["label"].tolist())) > 5
            assert np.allclose(found["samples"][:, 0, 0, 0], found["label"] / 10)

    def test_a_grid_has_a_column_for_each_class(self, labelled: Path, tmp_path: Path, capsys: Captured) -> None:
        assert sample(labelled, tmp_path / "grid.png") == 0
        assert "60 samples, a column for each of 10 classes, from run" in capsys.readouterr().out
        shown = pixels(tmp_path / "grid.png")
        assert shown.shape == (6 * 30 + 2, 10 * 30 + 2)
        brightness = [round((label / 10 + 1) * 127.5) for label in range(10)]
        assert all(np.abs(shown[row, 15::30] - brightness).max() <= 1 for row in range(15, 180, 30))

    def test_a_class_has_its_name_in_what_is_said(self, labelled: Path, tmp_path: Path, capsys: Captured) -> None:
        assert sample(labelled, tmp_path / "a.png", "-n", 5, "--label", 7) == 0
        assert '5 samples of class "7' in capsys.readouterr().out

    @pytest.mark.parametrize("asked", ["10", "cat", "-1"])
    def test_a_class_that_the_data_have_not_is_refused(
        self, asked: str, labelled: Path, tmp_path: Path, capsys: Captured
    ) -> None:
        assert sample(labelled, tmp_path / "a.png", "--label", asked) == 2
        assert f"there is no class {asked}" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            (("--condition", "lable=7"), "Did you mean label?"),
            (("--condition", "label=[1, 2]"), "one for each of the 5 samples"),
            (("--condition", "label=1.5"), "there is no class 1.5"),
            (("--label", "1", "--condition", "label=2"), "label is asked for twice"),
            (("--condition", "label=1", "--condition", "label=2"), "label is asked for twice"),
            (("--like", "x.png"), "none can come from a file"),
        ],
    )
    def test_what_no_sample_can_be_is_refused(
        self, asked: tuple[str, ...], said: str, labelled: Path, tmp_path: Path, capsys: Captured
    ) -> None:
        assert sample(labelled, tmp_path / "a.png", "-n", 5, *asked) == 2
        captured = capsys.readouterr()
        assert said in captured.err
        assert "Traceback" not in captured.err
        assert list(tmp_path.iterdir()) == []

    def test_walks_show_the_classes_in_turn_or_the_one_asked_for(self, labelled: Path, tmp_path: Path) -> None:
        assert sample(labelled, tmp_path / "all.png", "--interpolate", "-n", 30) == 0
        rows = pixels(tmp_path / "all.png")[15::30, 15]
        assert rows.tolist() == [128, 140, 153]  # (label / 10 + 1) * 127.5
        assert sample(labelled, tmp_path / "one.gif", "-n", 4, "--label", 9) == 0
        with Image.open(tmp_path / "one.gif") as shown:
            assert len(shown.convert("L").getcolors()) == 2  # the class and the gap
