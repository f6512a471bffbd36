"""Data of two domains and games that translate, from the recipe to the files that `ganzoo sample --input` writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.core.data import DatasetInfo, Field
from ganzoo.errors import RecipeError, RunError
from ganzoo.kinds.pictures import to_uint8
from ganzoo.kinds.pixels import to_unit_range
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import dry_run

Captured = pytest.CaptureFixture[str]

RECIPE = """
description = "a small translation from grey pictures to coloured ones and back"
[game]
name = "cyclegan"
identity = 0.0
pool = 3
[generator]
name = "resnet-translator"
blocks = 1
width = 2
[discriminator]
name = "patch"
layers = 1
width = 2
[loss]
name = "least-squares"
[dataset]
name = "unpaired-folders"
path = "pictures"
[optimizer.generators]
name = "adam"
[optimizer.discriminators]
name = "adam"
[ema]
players = ["generators"]
decay = 0.5
[train]
steps = 6
batch_size = 2
sample_every = 3
samples = 4
"""

PLAIN = """
[generator]
name = "mlp"
hidden = [8]
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "hinge"
[dataset]
name = "gaussians"
size = 100
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 2
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of two domains, recipes, and a run of each."""
    room = tmp_path_factory.mktemp("translation")
    pixels = np.random.default_rng(0)
    for folder, count, channels in (("trainA", 5, 1), ("trainB", 3, 3), ("testA", 3, 1)):
        (room / "pictures" / folder).mkdir(parents=True)
        for number in range(count):
            content = pixels.integers(0, 256, (12, 16, channels), dtype=np.uint8)
            Image.fromarray(content.squeeze()).save(room / "pictures" / folder / f"{number}.png")
    for name, text in (("two", RECIPE), ("plain", PLAIN)):
        (room / f"{name}.toml").write_text(text)
        ganzoo.train(room / f"{name}.toml", out=room / name, data_root=room, device="cpu", quiet=True)
    return room


def sample(room: Path, out: str, *options: object, run: str = "two") -> int:
    return exit_status(["sample", str(room / run), "-o", str(room / out), *map(str, options)])


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_a_run_says_what_its_two_domains_are(room: Path, capfd: Captured) -> None:
    facts = json.loads((room / "two" / "run.json").read_text())
    shapes = {key: field["shape"] for key, field in facts["dataset"]["fields"].items()}
    assert shapes == {"a": [1, 12, 16], "b": [3, 12, 16]}
    assert (facts["dataset"]["paired"], facts["dataset"]["size"]) == (False, 5)
    assert facts["directions"] == ["a2b", "b2a"]
    info = ganzoo.load(room / "two").info
    assert (info.fields["a"].shape, info.fields["b"].shape, info.paired) == ((1, 12, 16), (3, 12, 16), False)
    out = room / "said"
    assert exit_status(["run", str(room / "two.toml"), "--data-root", str(room), "--out", str(out), "--plain"]) == 0
    said = capfd.readouterr().out
    assert "unpaired-folders: 5 images of 1 x 12 x 16 (a) and 3 x 12 x 16 (b)" in said
    assert "--input FILE_OR_FOLDER --direction a2b -o OUT" in said


def test_an_epoch_is_one_of_the_larger_domain(room: Path) -> None:
    run = ganzoo.train(
        room / "two.toml", out=room / "epochs", epochs=2, data_root=room, overrides=["train.log_every=1"], quiet=True
    )
    assert run.total_steps == 6  # ceil(5 / 2) batches of a; those of b are through after two
    assert run.metrics[-1]["epoch"] == 2.0


def test_grids_show_an_image_its_translation_and_the_way_back_side_by_side(room: Path) -> None:
    grids = sorted(path.name for path in (room / "two" / "samples").iterdir())
    assert len(grids) == 2 * 3
    grid = np.asarray(opened(room / "two" / "samples" / "step-00000006.png"))
    first = np.asarray(opened(room / "pictures" / "trainA" / "0.png"))
    assert (grid[2:14, 2:18] == first[..., None]).all()
    assert grid.shape == (4 * 14 + 2, 3 * 18 + 2, 3)  # four threes, one below the other


def test_a_folder_of_images_becomes_a_folder_of_images_of_their_names(room: Path, capfd: Captured) -> None:
    inside = room / "many" / "deeper"
    inside.mkdir(parents=True)
    Image.new("RGB", (23, 9), (200, 10, 10)).save(inside / "red.jpg")
    Image.new("L", (8, 8), 40).save(room / "many" / "dark.bmp")
    assert sample(room, "translated", "--input", room / "many", "--direction", "a2b") == 0
    made = {path.relative_to(room / "translated").as_posix() for path in (room / "translated").rglob("*.png")}
    assert made == {"deeper/red.png", "dark.png"}
    assert opened(room / "translated" / "deeper" / "red.png").size == (23, 9)
    assert opened(room / "translated" / "dark.png").mode == "RGB"
    assert "translated: 2 images translated (a2b) by two, step 6" in capfd.readouterr().out


def test_one_image_becomes_the_one_that_the_network_makes_of_it(room: Path) -> None:
    source = room / "pictures" / "testA" / "1.png"
    assert sample(room, "one.png", "--input", source, "--direction", "a2b") == 0
    pixels = torch.from_numpy(np.asarray(opened(source)).copy()).view(1, 1, 12, 16)
    made = ganzoo.load(room / "two").translate(to_unit_range(pixels), "a2b")
    assert np.array_equal(np.asarray(opened(room / "one.png")), to_uint8(made)[0].transpose(1, 2, 0))
    assert sample(room, "back.png", "--input", room / "one.png", "--direction", "b2a") == 0
    assert (opened(room / "back.png").mode, opened(room / "back.png").size) == ("L", (16, 12))


def test_the_averaged_networks_translate_unless_told_otherwise(room: Path) -> None:
    source = room / "pictures" / "testA" / "1.png"
    for name, options in (("averaged", ()), ("same", ("--ema",)), ("own", ("--no-ema",))):
        assert sample(room, f"{name}.png", "--input", source, "--direction", "a2b", *options) == 0
    averaged, same, own = ((room / f"{name}.png").read_bytes() for name in ("averaged", "same", "own"))
    assert averaged == same != own


def test_a_folder_into_a_png_is_a_grid_of_pairs(room: Path, capfd: Captured) -> None:
    assert sample(room, "grid.png", "--input", room / "pictures" / "testA", "--direction", "a2b", "-n", 2) == 0
    grid = np.asarray(opened(room / "grid.png"))
    assert grid.shape[:2] in {(2 * 14 + 2, 2 * 18 + 2), (14 + 2, 4 * 18 + 2)}
    first = np.asarray(opened(room / "pictures" / "testA" / "0.png"))
    assert (grid[2:14, 2:18] == first[..., None]).all()
    assert "2 of 3 images beside their translations (a2b)" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), 'the game "cyclegan" has no generator with latents: it translates images'),
        (("--interpolate",), 'the game "cyclegan" has no generator with latents: it translates images'),
        (("--direction", "a2b"), "--direction: there is nothing to translate"),
        (("--input", "{room}/pictures/testA"), 'the game "cyclegan" has several directions'),
        (("--input", "{room}/pictures/testA", "--direction", "a2c"), "Did you mean a2b? Choose from: a2b, b2a."),
        (("--input", "{room}/nowhere", "--direction", "a2b"), "--input: there is no "),
        (("--input", "{room}/two/checkpoints", "--direction", "a2b"), "holds no image"),
        (("--input", "{room}/two.toml", "--direction", "a2b"), "two.toml: this image cannot be read: "),
        (("--input", "{room}/tiny.png", "--direction", "a2b"), "images of 3 x 3 are too small for this network"),
        (("--input", "{room}/pictures/testA", "--direction", "a2b", "--interpolate"), "make samples from latents"),
    ],
)
def test_what_cannot_be_translated_is_said_in_a_sentence(
    room: Path, capfd: Captured, options: tuple[str, ...], said: str
) -> None:
    Image.new("L", (3, 3)).save(room / "tiny.png")
    assert sample(room, "refused.png", *(option.format(room=room) for option in options)) == 2
    error = capfd.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not (room / "refused.png").exists()


def test_a_translation_is_a_picture_and_nothing_else(room: Path, capfd: Captured) -> None:
    source = room / "pictures" / "testA" / "1.png"
    assert sample(room, "array.npy", "--input", source, "--direction", "a2b") == 2
    assert "a translation becomes a .png, or a folder of them" in capfd.readouterr().err


def test_two_images_that_would_become_one_are_told_apart(room: Path, capfd: Captured) -> None:
    (room / "twins").mkdir()
    for ending in ("png", "bmp"):
        Image.new("L", (8, 8)).save(room / "twins" / f"x.{ending}")
    assert sample(room, "twins-out", "--input", room / "twins", "--direction", "a2b") == 2
    assert "would both become" in capfd.readouterr().err


def test_a_game_with_latents_does_not_translate(room: Path, capfd: Captured) -> None:
    assert sample(room, "x.png", "--input", room / "pictures" / "testA", "--direction", "a2b", run="plain") == 2
    assert 'the game "two-player" does not translate.' in capfd.readouterr().err


def test_in_python_images_of_another_kind_are_refused_with_the_right_shape(room: Path) -> None:
    run = ganzoo.load(room / "two")
    assert run.translate(torch.zeros(2, 3, 12, 16), "b2a").shape == (2, 1, 12, 16)
    with pytest.raises(RunError, match=r"\(2, 3, 12, 16\) cannot be translated.\n.*\(n, 1, 12, 16\)"):
        run.translate(torch.zeros(2, 3, 12, 16), "a2b")
    with pytest.raises(RunError, match="it translates images"):
        run.sample(4)
    assert (run._repr_png_() or b"").startswith(b"\x89PNG")


DOMAINS = DatasetInfo(fields={key: Field((3, 16, 16), "uint8", "domain") for key in ("a", "b")}, size=10, paired=False)
IMAGES = DatasetInfo(fields={"real": Field((3, 16, 16), "uint8")}, size=10)


@pytest.mark.parametrize(
    ("text", "info", "said"),
    [
        (
            RECIPE,
            IMAGES,
            'the game "cyclegan" needs "a" of each sample, and dataset unpaired-folders holds (3, 16, 16)',
        ),
        (
            PLAIN,
            DOMAINS,
            'the game "two-player" needs "real" of each sample, and dataset gaussians holds a (3, 16, 16)',
        ),
        (
            RECIPE.replace('"resnet-translator"\nblocks = 1\nwidth = 2', '"mlp"\nhidden = [8]'),
            DOMAINS,
            'it makes samples from latents, and the game "cyclegan" wants them made from samples.',
        ),
        (
            PLAIN.replace('[generator]\nname = "mlp"\nhidden = [8]', '[generator]\nname = "resnet-translator"'),
            IMAGES,
            'it makes samples from samples, and the game "two-player" wants them made from latents.',
        ),
    ],
)
def test_games_data_and_generators_that_do_not_belong_together_are_told(
    tmp_path: Path, text: str, info: DatasetInfo, said: str
) -> None:
    (tmp_path / "mix.toml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        dry_run(read_recipe(tmp_path / "mix.toml"), info)
    assert said in str(caught.value)


def test_translations_are_read_and_written_in_the_depth_that_was_learned(room: Path, tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(30_000, 30_200, (12, 16)).astype(np.uint16)
    for folder in ("trainA", "trainB"):
        (tmp_path / "deep" / folder).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(deep + np.uint16(number)).save(tmp_path / "deep" / folder / f"{number}.png")
    run = ganzoo.train(
        room / "two.toml",
        out=tmp_path / "run",
        data_root=tmp_path,
        device="cpu",
        quiet=True,
        steps=1,
        dataset__path="deep",
    )
    assert {field.dtype for field in run.info.fields.values()} == {"uint16"}
    source = tmp_path / "deep" / "trainA" / "0.png"
    command = [
        "sample",
        str(run.directory),
        "--input",
        str(source),
        "--direction",
        "a2b",
        "-o",
        str(tmp_path / "b.png"),
    ]
    assert exit_status(command) == 0
    made = run.translate(to_unit_range(torch.from_numpy(deep)[None, None]), "a2b")
    assert opened(tmp_path / "b.png").mode == "I;16"
    expected = run.kinds.sample.from_unit(made, run.info.fields["b"])
    assert np.array_equal(np.asarray(opened(tmp_path / "b.png")), expected[0, 0].numpy())
