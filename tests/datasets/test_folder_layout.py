"""What a folder of images is read as: its classes and splits, what is left out, and what has to be asked for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ganzoo
from ganzoo.datasets import folder_index
from ganzoo.datasets.domain_folders import PairedFolders, UnpairedFolders
from ganzoo.datasets.image_folder import ImageFolder
from ganzoo.errors import DatasetError

Files = dict[str, int]
"""Folder -> the number of images in it."""

EMPTY = 0
PETS, PETS_HELD_OUT = {"cat": 9, "dog": 9}, {"cat": 1, "dog": 1}


def make(top: Path, files: Files) -> Path:
    """Images whose brightness is their number in the folder, 1 by default, and folders without any."""
    for name, count in files.items():
        (top / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("L", (4, 4), number).save(top / name / f"{number:02}.png")
    return top


def read(top: Path, **options: Any) -> dict[str, Any]:
    """What a folder was read as: the labels of both splits by class name, and the layout that run.json gets."""
    data = ImageFolder(path=str(top), **options)
    info = data.info(top)
    found: dict[str, Any] = {"classes": info.classes, "layout": dict(info.layout), "notes": info.notes}
    for split in ("train", "test"):
        loaded = data.load(top, split)
        labels = loaded.tensors["label"].tolist() if "label" in loaded.tensors else []
        counts = {name: labels.count(number) for number, name in enumerate(info.classes)}
        assert loaded.sizes["real"] == info.layout["splits"][split]["images"]
        assert counts == info.layout["splits"][split].get("classes", {})
        found[split] = counts or loaded.sizes["real"]
    return found


def left_out(found: dict[str, Any]) -> dict[str, list[str]]:
    return {each["what"]: each["first"] for each in found["layout"]["left_out"]}


@pytest.mark.parametrize(
    ("files", "train", "test", "rest"),
    [
        ({"cat": 10, "dog": 10}, PETS, PETS_HELD_OUT, {}),
        (
            {"cat": 10, "dog": 10, ".ipynb_checkpoints": 2, ".git": 1, "__MACOSX": 1, "@eaDir": 1, "cat/@eaDir": 1},
            PETS,
            PETS_HELD_OUT,
            {
                "hidden folder": [".git", ".ipynb_checkpoints"],
                "folder of a tool": ["@eaDir", "__MACOSX", "cat/@eaDir"],
            },
        ),
        ({"cat": 10, "dog": 10, "bird": EMPTY}, PETS, PETS_HELD_OUT, {"folder without images": ["bird"]}),
        ({"train": 5, "val": 2}, 5, 2, {}),
        ({"Train": 5, "VALIDATION": 2}, 5, 2, {}),
        (
            {"train/cat": 9, "train/dog": 9, "valid/cat": 1, "valid/dog": 1},
            PETS,
            PETS_HELD_OUT,
            {},
        ),
        ({"train": 5, "test": 2, "val": 3}, 5, 2, {"folder beside the splits": ["val"]}),
        (
            {"train": 5, "test": 2, "": 2, "extra": 1},
            5,
            2,
            {"folder beside the splits": ["extra"], "image beside the splits": ["00.png", "01.png"]},
        ),
        ({"train/cat": 10, "train/dog": 10}, PETS, PETS_HELD_OUT, {}),
        ({"train/cat": 10, "train/dog": 10, ".git": 1}, PETS, PETS_HELD_OUT, {"hidden folder": [".git"]}),
        ({"train": 10, "docs": EMPTY}, 9, 1, {}),
        (
            {"train/a": 1, "train/c": 2, "test/a": 1, "test/b": 4, "test/c": 3},
            {"a": 1, "c": 2},
            {"a": 1, "c": 3},
            {"class that only the test split has": ["test/b"]},
        ),
        ({"train/a": 1, "train/c": 2, "test/a": 3}, {"a": 1, "c": 2}, {"a": 3, "c": 0}, {}),
        (
            {"train/a": 1, "train/c": 2, "test/a": 3, "test": 2},
            {"a": 1, "c": 2},
            {"a": 3, "c": 0},
            {"test image without a class": ["test/00.png"]},
        ),
        (
            {"animals/cat": 5, "animals/dog": 5, "plants/oak": 10},
            {"animals": 9, "plants": 9},
            {"animals": 1, "plants": 1},
            {},
        ),
        ({"cat": 20}, 18, 2, {}),
        ({"cat": 10, "dog": 5, "": 5}, 18, 2, {}),
    ],
)
def test_a_folder_is_read_as_people_mean_it(
    tmp_path: Path, files: Files, train: Any, test: Any, rest: dict[str, Any]
) -> None:
    found = read(make(tmp_path, files))
    assert (found["train"], found["test"], left_out(found)) == (train, test, rest)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"train": 10, "car": 5, "bus": 5}, '"train" may be the training split or a class like "bus" and "car"'),
        ({"train": 10, "": 5}, "5 images lie beside the folder train"),
        ({"train": 5, "Train": 5, "test": 2}, '"Train" and "train" may each be the training split'),
        ({"test/cat": 5, "cat": 5, "dog": 5}, '"test" may be a split or a class, and there is no folder train'),
        ({"val": 5, "": 5}, '"val" may be a split or a class'),
        ({"train": 5, "val": 2, "valid": 2}, '"val" and "valid" may each be the test split'),
        ({"cat/train": 5, "cat/test": 5, "dog/train": 5, "dog/test": 5}, '"test" and "train" lie below the classes'),
        ({"train/cat": 5, "train/dog": 5, "test": 3}, "no image of test lies in the folder of a class"),
    ],
)
def test_what_a_folder_does_not_say_is_asked_for_and_every_answer_is_accepted(
    tmp_path: Path, files: Files, what: str
) -> None:
    make(tmp_path, files)
    with pytest.raises(DatasetError, match=re.escape(what)) as caught:
        ImageFolder(path=str(tmp_path)).info(tmp_path)
    answers = [dict(re.findall(r'dataset\.(\w+) = "([^"]*)"', part)) for part in caught.value.remedy.split(", or ")]
    answers = [answer for answer in answers if answer]
    assert answers
    read_as = [read(tmp_path, **answer) for answer in answers]
    assert len({str(each["layout"]["splits"]) for each in read_as}) == len(answers), "each answer is another reading"


def test_options_say_what_the_classes_and_the_splits_are(tmp_path: Path) -> None:
    make(tmp_path, {"pictures/train": 10, "pictures/car": 5, "pictures/test/car": 5, "pictures": 2, "elsewhere": 3})
    top = tmp_path / "pictures"
    assert read(top, train=".", test="test", classes="none")["train"] == 17
    assert read(top, train=".", test="test", classes="folders")["train"] == {"car": 5, "train": 10}
    assert left_out(read(top, classes="folders", train=".", test="held-out")) == {
        "image beside the class folders": ["00.png"]
    }
    assert read(top, train="car", test="held-out")["layout"]["splits"]["train"] == {"folder": "car", "images": 5}
    assert read(top, train="car/", test="../elsewhere")["test"] == 3
    with pytest.raises(
        DatasetError, match=r"dataset\.test names no folder in it: tests\.\n  Folders there: car, test, train"
    ):
        ImageFolder(path=str(top), test="tests").info(tmp_path)
    make(tmp_path, {"flat": 3})
    with pytest.raises(DatasetError, match=r'no folder with images in it to be a class(.|\n)*classes = "none"'):
        ImageFolder(path=str(tmp_path / "flat"), classes="folders").info(tmp_path)
    assert read(make(tmp_path / "single", {"cat": 10}), classes="folders")["train"] == {"cat": 9}


def test_links_to_folders_are_followed_and_each_folder_is_read_once(tmp_path: Path) -> None:
    make(tmp_path, {"store/cats/tabby": 6, "store/dogs": 10, "set/birds": 10})
    top = tmp_path / "set"
    (top / "cat").symlink_to(tmp_path / "store" / "cats")
    (top / "dog").symlink_to("../store/dogs")
    (top / "birds" / "up").symlink_to("..")  # a circle
    (top / "kitten").symlink_to(tmp_path / "store" / "cats" / "tabby")  # lies in cat
    (top / "nowhere").symlink_to("missing")
    (top / "itself").symlink_to("itself")
    (tmp_path / "store" / "cats" / "back").symlink_to(top)
    found = read(top)
    assert {name: found["train"][name] + found["test"][name] for name in found["classes"]} == {
        "birds": 10,
        "cat": 6,
        "dog": 10,
    }
    assert left_out(found) == {
        "link that cannot be followed": ["itself", "nowhere"],
        "link to a folder that is read anyway": ["birds/up", "cat/back", "kitten"],
    }


def test_a_hundred_links_to_each_other_are_read_in_a_moment(tmp_path: Path) -> None:
    """Followed wherever they lead, they would be read a number of times that has a hundred digits."""
    for number in range(100):
        (tmp_path / "store" / str(number)).mkdir(parents=True)
        for other in range(100):
            (tmp_path / "store" / str(number) / str(other)).symlink_to(f"../{other}")
    make(tmp_path, {"store/7": 10})
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "first").symlink_to("../store/0")
    assert read(tmp_path / "set")["train"] == 9


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Folders in each other, more than Python's stack holds calls: rmtree could not remove them."""
    depth = 1_500
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        here, before = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(before)
    os.close(here)
    yield tmp_path
    for number in range(depth, 0, -1):
        (tmp_path / "/".join("d" * number)).rmdir()


def test_folders_nested_a_thousand_deep_are_read(deep: Path) -> None:
    assert read(make(deep, {"e": 10}))["train"] == 9


def test_a_run_in_its_own_data_folder_is_no_data(tmp_path: Path) -> None:
    make(tmp_path, {"set/cat": 10, "set/dog": 10})
    before = read(tmp_path / "set")
    for name in ("run.json", "recipe.toml", "metrics.jsonl"):
        make(tmp_path / "set", {"runs/mine/samples": 3, "runs/mine/checkpoints": EMPTY, "dog/run/checkpoints": EMPTY})
        (tmp_path / "set" / "runs" / "mine" / name).write_text("damaged")
        (tmp_path / "set" / "dog" / "run" / name).write_text("damaged")
    found = read(tmp_path / "set")
    assert (found["train"], found["test"]) == (before["train"], before["test"])
    assert left_out(found) == {"run of ganzoo": ["dog/run", "runs/mine"], "folder without images": ["runs"]}
    with pytest.raises(DatasetError, match=r"mine is the directory of a run of ganzoo(.|\n)*Name the folder"):
        ImageFolder(path=str(tmp_path / "set" / "runs" / "mine")).info(tmp_path)


RECIPE = """
[generator]
name = "mlp"
latent_dim = 4
hidden = [8]
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "non-saturating"
[dataset]
name = "image-folder"
path = "set"
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 6
batch_size = 8
sample_every = 2
checkpoint_every = 2
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.mark.parametrize("place", ["run", "runs/run", "cat/run"])
@pytest.mark.parametrize("wanted", ["device", "stream"])
def test_a_run_written_into_its_data_is_resumed_and_the_next_one_learns_from_the_same(
    tmp_path: Path, recipe: Path, place: str, wanted: str
) -> None:
    make(tmp_path, {"set/cat": 10, "set/dog": 10})
    options: dict[str, Any] = {"data_root": tmp_path, "device": "cpu", "quiet": True, "train__data": wanted}
    options["train__workers"] = 0
    straight = ganzoo.train(recipe, out=tmp_path / "straight", **options)
    inside = tmp_path / "set" / place
    ganzoo.train(recipe, out=inside, steps=3, **options)
    resumed = ganzoo.resume(inside, steps=6, device="cpu", quiet=True)
    following = ganzoo.train(recipe, out=tmp_path / "set" / "next", **options)
    for run in (resumed, following):
        assert run.facts["dataset"]["checksum"] == straight.facts["dataset"]["checksum"]
        weights = (run.checkpoint / "generator.safetensors").read_bytes()
        assert weights == (straight.checkpoint / "generator.safetensors").read_bytes()
    assert f"1 run of ganzoo is left out: {place}" in following.facts["dataset"]["notes"]


def test_what_a_folder_was_read_as_is_said_in_run_json_on_the_console_and_in_the_report(
    tmp_path: Path, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganzoo.display.report.page import page

    make(tmp_path, {"set/train/cat": 3, "set/train/dog": 2, "set/val/cat": 1, "set/val/cow": 1, "set/.git": 1})
    (tmp_path / "set" / "train" / "notes.txt").touch()
    run = ganzoo.train(recipe, out=tmp_path / "run", data_root=tmp_path, device="cpu", plain=True)
    said, shown = "".join(capsys.readouterr()), page(ganzoo.load(run.directory))
    for line in (
        "2 classes: cat 3, dog 2",
        "test split: val, 1 images",
        "1 class that only the test split has is left out: val/cow",
        "1 files are not images, and left out",
    ):
        assert line in said
        assert line in shown
    assert ganzoo.load(run.directory).info.layout == {
        "splits": {
            "train": {"folder": "train", "images": 5, "classes": {"cat": 3, "dog": 2}},
            "test": {"folder": "val", "images": 1, "classes": {"cat": 1, "dog": 0}},
        },
        "classes": "folders",
        "left_out": [
            {"what": "hidden folder", "count": 1, "first": [".git"]},
            {"what": "file that is not an image", "count": 1, "first": ["train/notes.txt"]},
            {"what": "class that only the test split has", "count": 1, "first": ["val/cow"]},
        ],
    }


def test_the_cached_index_of_a_large_folder_says_what_is_left_out_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_index, "MIN_CACHED_IMAGES", 1)
    monkeypatch.setattr(folder_index, "MIN_UNCHANGED_SECONDS", -1e9)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    make(tmp_path, {"set/cat": 10, "set/dog": 10, "set/.git": 1, "set/bird": EMPTY})
    first = read(tmp_path / "set")
    monkeypatch.setattr(folder_index, "read_headers", None)  # called where the index is not taken from the cache
    assert read(tmp_path / "set") == first
    assert left_out(first) == {"hidden folder": [".git"], "folder without images": ["bird"]}


def test_the_listings_of_ordinary_folders_are_those_that_runs_so_far_have(tmp_path: Path) -> None:
    """Recorded before folders were read in this way: such runs can be resumed."""
    for name, files in {
        "flat": {"": 3},
        "classes": {"cat": 10, "dog": 10},
        "splits": {"train/cat": 3, "train/dog": 2, "test/cat": 1, "test/dog": 1},
        "train": {"train": 11},
        "mixed": {"cat": 3, "": 2},
        "deep": {"a/b/c": 3, "a/b": 2, "d": 1},
    }.items():
        make(tmp_path / name, files)
        loaded = ImageFolder(path=str(tmp_path / name)).load(tmp_path)
        assert (name, loaded.listing[8:24], loaded.checksum[7:23]) == (name, *RECORDED[name])


RECORDED = {
    "flat": ("230cc1ec888333e7", "e9eb69eaa33130f6"),
    "classes": ("d7461f0da247a2e7", "2d414862ba967543"),
    "splits": ("63a0f7c35c5375e3", "c5d9009246548c28"),
    "train": ("a86d9b85201ec5c5", "81bbbbc06491189d"),
    "mixed": ("0c0e9d4855f06b52", "5da4f9e355dbaa65"),
    "deep": ("f3781883cef02f8a", "e917af4baa9fdc18"),
}
"""The first digits of the listing and of the checksum."""


def test_domains_are_found_in_any_letter_case_and_what_lies_beside_them_is_said(tmp_path: Path) -> None:
    make(tmp_path, {"trainA": 3, "TrainB": 2, "valA": 1, "testb": 1, "extra": 2, "trainA/.git": 1, "": 1})
    for dataset in (UnpairedFolders,):
        info = dataset(path=str(tmp_path)).info(tmp_path)
        assert info.layout["splits"] == {
            "a": {"train": {"folder": "trainA", "images": 3}, "test": {"folder": "valA", "images": 1}},
            "b": {"train": {"folder": "TrainB", "images": 2}, "test": {"folder": "testb", "images": 1}},
        }
        assert {each["what"]: each["first"] for each in info.layout["left_out"]} == {
            "hidden folder": ["trainA/.git"],
            "folder beside the splits": ["extra"],
            "image beside the splits": ["00.png"],
        }
        assert "test split of a: valA" in info.notes
    make(tmp_path, {"traina": 1})
    with pytest.raises(DatasetError, match=r'"trainA" and "traina" may each be that split(.|\n)*Rename'):
        UnpairedFolders(path=str(tmp_path)).info(tmp_path)


def test_pictures_side_by_side_ask_where_the_splits_are_not_clear(tmp_path: Path) -> None:
    make(tmp_path, {"TRAIN": 10, "Val": 2})
    assert PairedFolders(path=str(tmp_path)).info(tmp_path).layout["splits"]["b"] == {
        "train": {"folder": "TRAIN", "images": 10},
        "test": {"folder": "Val", "images": 2},
    }
    make(tmp_path, {"valid": 2})
    with pytest.raises(DatasetError, match=r'Set dataset\.test = "Val"'):
        PairedFolders(path=str(tmp_path)).info(tmp_path)
    info = PairedFolders(path=str(tmp_path), test="Val").info(tmp_path)
    assert info.notes[-1] == "1 folder beside the splits is left out: valid"


def test_real_folders_are_read_in_full(real_data: Path) -> None:
    assert not ImageFolder(path="eurosat_classes").info(real_data).layout["left_out"]
    assert not ImageFolder(path="cifar10_jpeg").info(real_data).layout["left_out"]
    assert not UnpairedFolders(path="eurosat_river2highway").info(real_data).layout["left_out"]


def test_names_that_are_not_utf_8_are_classes_like_all_others(tmp_path: Path, recipe: Path) -> None:
    top = Path(os.fsdecode(os.fsencode(tmp_path) + b"/data\xff"))
    try:
        make(top, {os.fsdecode(b"set/caf\xe9"): 10, "set/dog": 10, os.fsdecode(b"set/.\xe9"): 1})
    except OSError:
        pytest.skip("this file system takes no such names")
    options: dict[str, Any] = {"device": "cpu", "quiet": True, "train__data": "stream", "train__workers": 0}
    run = ganzoo.train(recipe, out=top / "run", data_root=top, steps=3, **options)
    assert run.info.classes == ("caf\\xe9", "dog")
    assert "1 hidden folder is left out: .\\xe9" in run.info.notes
    assert ganzoo.resume(top / "run", steps=6, device="cpu", quiet=True).step == 6
