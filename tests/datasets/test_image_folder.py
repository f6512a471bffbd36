"""Any folder of images: what is in it is found, what does not fit is resized and said, what is broken is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzoo.datasets.image_folder import ImageFolder
from ganzoo.errors import DatasetError, DatasetUnavailable


def save(path: Path, colour: object = (200, 100, 50), size: tuple[int, int] = (16, 12), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(20):
        save(tmp_path / "pictures" / f"{number:02}.png", (number, 100, 50))
    return tmp_path / "pictures"


def test_size_and_colours_are_those_of_the_files(folder: Path, tmp_path: Path) -> None:
    data = ImageFolder(path="pictures")
    info = data.info(tmp_path)
    assert (info.sample_shape, info.size, info.classes, info.gives) == ((3, 12, 16), 18, (), ("real",))
    train, test = (data.load(tmp_path, split).tensors["real"] for split in ("train", "test"))
    assert train.shape == (18, 3, 12, 16)
    assert test[:, 0, 0, 0].tolist() == [9, 19]
    assert sorted([*train[:, 0, 0, 0].tolist(), 9, 19]) == list(range(20))


def test_grey_folders_have_one_channel_unless_asked_otherwise(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", 128, mode="L")
    assert ImageFolder(path=str(tmp_path)).info(tmp_path).sample_shape == (1, 12, 16)
    assert ImageFolder(path=str(tmp_path), channels=3).load(tmp_path).tensors["real"].shape[1] == 3


def test_what_does_not_fit_is_resized_and_said(folder: Path, tmp_path: Path) -> None:
    save(folder / "odd.jpg", size=(40, 10))
    (folder / "notes.txt").write_text("not a picture")
    info = ImageFolder(path="pictures").info(tmp_path)
    assert info.sample_shape == (3, 12, 16)
    assert "1 of 21 images are resized to 16 x 12" in info.notes
    assert "1 files are not images, and left out" in info.notes
    assert ImageFolder(path="pictures", size=8).load(tmp_path).tensors["real"].shape[1:] == (3, 8, 8)


def test_images_are_resized_to_a_height_and_a_width(folder: Path, tmp_path: Path) -> None:
    dataset = ImageFolder(path="pictures", size=(8, 20))
    info = dataset.info(tmp_path)
    assert info.sample_shape == (3, 8, 20)
    assert "20 of 20 images are resized to 20 x 8" in info.notes
    assert dataset.load(tmp_path).tensors["real"].shape[1:] == (3, 8, 20)


def test_subfolders_are_classes_and_splits_are_kept(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            for number in range(3):
                save(tmp_path / "set" / split / name / f"{number}.png")
    data = ImageFolder(path="set")
    info = data.info(tmp_path)
    assert (info.classes, info.size, info.gives) == (("cat", "dog"), 6, ("real", "label"))
    assert data.load(tmp_path, "test").tensors["label"].tolist() == [0, 0, 0, 1, 1, 1]


def test_every_kind_of_picture_is_read_as_a_person_sees_it(tmp_path: Path) -> None:
    save(tmp_path / "a.png", (0, 0, 0, 0), mode="RGBA")  # transparent: on white
    save(tmp_path / "b.gif", 0, mode="P")
    sixteen = np.full((12, 16), 65535, dtype=np.uint16)
    Image.fromarray(sixteen).save(tmp_path / "c.png")
    turned = Image.new("RGB", (12, 16), (9, 9, 9))
    exif = turned.getexif()
    exif[0x0112] = 6  # lies on its side
    turned.save(tmp_path / "d.png", exif=exif)
    images = ImageFolder(path=str(tmp_path), channels=3).load(tmp_path).tensors["real"]
    assert images.shape == (4, 3, 12, 16)
    assert [image[0, 0, 0].item() for image in images] == [255, 0, 255, 9]


@pytest.mark.parametrize("damage", ["text", "cut"])
def test_broken_files_are_named_with_their_count(folder: Path, tmp_path: Path, damage: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    for number in range(2):
        path = folder / f"broken{number}.png"
        Image.fromarray(noise).save(path)
        path.write_bytes(b"hello" if damage == "text" else path.read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"broken0\.png") as caught:
        ImageFolder(path="pictures").load(tmp_path)
    assert "2 " in str(caught.value)


def test_a_missing_or_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnavailable, match="no folder nowhere"):
        ImageFolder(path="nowhere").info(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no image"):
        ImageFolder(path="empty").info(tmp_path)


def test_images_that_would_not_fit_into_memory_are_refused_before_decoding(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        available = 1000

    monkeypatch.setattr("ganzoo.datasets.image_files.psutil.virtual_memory", Full)
    with pytest.raises(DatasetError, match="GiB of memory are free"):
        ImageFolder(path="pictures").load(tmp_path)


def test_real_folders_are_understood(real_data: Path) -> None:
    info = ImageFolder(path="eurosat_classes").info(real_data)
    assert (info.sample_shape, len(info.classes), info.size) == ((3, 64, 64), 10, 1800)
