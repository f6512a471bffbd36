"""MNIST's files are taken where they lie, read strictly, and named when they are wrong."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
import torch

from ganzoo.datasets.mnist import KMNIST, MNIST, FashionMNIST
from ganzoo.errors import DatasetError, DatasetUnavailable

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")


def write(folder: Path, count: int = 20, *, zipped: bool = False) -> None:
    """A training split of numbered pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = torch.arange(count).repeat_interleave(784).to(torch.uint8)
    contents = (
        struct.pack(">4i", 0x803, count, 28, 28) + pixels.numpy().tobytes(),
        struct.pack(">2i", 0x801, count) + bytes(number % 10 for number in range(count)),
    )
    for name, content in zip(NAMES, contents, strict=True):
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)


@pytest.mark.parametrize("place", ["MNIST/raw", "MNIST", "mnist", "."])
@pytest.mark.parametrize("zipped", [False, True])
def test_files_are_found_plain_or_zipped_where_people_put_them(tmp_path: Path, place: str, zipped: bool) -> None:
    write(tmp_path / place, zipped=zipped)
    assert MNIST().info(tmp_path).size == 20
    examples = MNIST().load(tmp_path)
    assert examples.tensors["real"].shape == (20, 1, 28, 28)
    assert examples.tensors["real"][7].unique().tolist() == [7]
    assert examples.tensors["label"].tolist() == [number % 10 for number in range(20)]


@pytest.mark.parametrize(("kind", "folder"), [(FashionMNIST, "FashionMNIST"), (KMNIST, "KMNIST")])
def test_the_kin_are_not_taken_for_one_another(kind: type[MNIST], folder: str, tmp_path: Path) -> None:
    write(tmp_path / folder / "raw", count=11)
    write(tmp_path, count=12)  # MNIST's own, lying in the root
    assert len(kind().load(tmp_path).tensors["real"]) == 11
    assert len(MNIST().load(tmp_path).tensors["real"]) == 12


def test_the_checksum_is_of_the_samples_and_not_of_how_they_are_packed(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b", zipped=True)
    write(tmp_path / "c", count=21)
    sums = [MNIST().load(tmp_path / name).checksum for name in "abc"]
    assert sums[0] == sums[1] != sums[2]


@pytest.mark.parametrize("file", NAMES)
@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "magic", "header"])
def test_a_damaged_file_is_named(tmp_path: Path, file: str, damage: str) -> None:
    write(tmp_path)
    path = tmp_path / file
    content = path.read_bytes()
    changed = {
        "cut": content[:-1],
        "longer": content + b"\0",
        "empty": b"",
        "magic": b"\x89PNG" + content[4:],
        "header": content[:6],
    }
    path.write_bytes(changed[damage])
    with pytest.raises(DatasetError, match=file):
        MNIST().load(tmp_path)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    write(tmp_path, zipped=True)
    path = tmp_path / f"{NAMES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=NAMES[0]):
        MNIST().load(tmp_path)


def test_labels_and_pictures_must_be_as_many(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / NAMES[1]).write_bytes(struct.pack(">2i", 0x801, 3) + bytes(3))
    with pytest.raises(DatasetError, match="3 labels for 20 pictures"):
        MNIST().load(tmp_path)


def test_what_cannot_be_had_is_said_with_the_files_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])  # nobody listens there
    with pytest.raises(DatasetUnavailable, match="cannot be downloaded") as caught:
        MNIST().load(tmp_path)
    assert all(name in str(caught.value) for name in NAMES)
    assert "GANZOO_DATA" in str(caught.value)


def test_the_real_digits_are_the_official_ones(real_data: Path) -> None:
    examples = MNIST().load(real_data)
    assert examples.tensors["real"].shape == (60_000, 1, 28, 28)
    # Class counts and mean intensity as published for the training set.
    assert examples.tensors["label"].bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert examples.tensors["real"].double().mean().item() / 255 == pytest.approx(0.1307, abs=5e-5)
