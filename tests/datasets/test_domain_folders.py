"""Two domains in folders: found in the layouts of CycleGAN's and pix2pix's data, and what does not fit is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ganzoo.core.data import DatasetInfo
from ganzoo.datasets.domain_folders import PairedFolders, UnpairedFolders
from ganzoo.errors import DatasetError, DatasetUnavailable


def save(path: Path, value: int, size: tuple[int, int] = (12, 12), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 100, 50)).save(path)


def shapes_of(info: DatasetInfo) -> dict[str, tuple[int, ...]]:
    return {key: info.fields[key].shape for key in info.domains}


@pytest.fixture
def unpaired(tmp_path: Path) -> Path:
    for folder, count in (("trainA", 5), ("trainB", 3), ("testA", 2), ("testB", 1)):
        for number in range(count):
            save(tmp_path / "set" / folder / f"{folder}{number}.png", number, mode="L" if folder[-1] == "A" else "RGB")
    return tmp_path


def test_each_domain_has_its_own_number_of_images_and_its_own_colours(unpaired: Path) -> None:
    data = UnpairedFolders(path="set")
    info = data.info(unpaired)
    assert shapes_of(info) == {"a": (1, 12, 12), "b": (3, 12, 12)}
    assert (info.sample_shape, info.gives, info.paired, info.size) == ((3, 12, 12), ("a", "b"), False, 5)
    assert info.notes == ("5 images of a and 3 images of b",)
    train, test = data.load(unpaired), data.load(unpaired, "test")
    assert {key: tuple(tensor.shape) for key, tensor in train.tensors.items()} == {
        "a": (5, 1, 12, 12),
        "b": (3, 3, 12, 12),
    }
    assert train.tensors["a"][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert [len(test.tensors[key]) for key in ("a", "b")] == [2, 1]
    assert UnpairedFolders(path="set", channels=3).info(unpaired).fields["a"].shape == (3, 12, 12)


def test_both_domains_get_one_size_and_what_is_resized_is_said(unpaired: Path) -> None:
    save(unpaired / "set" / "trainB" / "large.png", 9, size=(40, 30))
    info = UnpairedFolders(path="set").info(unpaired)
    assert info.fields["b"].shape == (3, 12, 12)
    assert "1 of 12 images are resized to 12 x 12" in info.notes
    assert UnpairedFolders(path="set", size=8).load(unpaired).tensors["b"].shape == (4, 3, 8, 8)


def test_without_test_folders_one_image_in_ten_is_held_out(tmp_path: Path) -> None:
    for letter in "AB":
        for number in range(20):
            save(tmp_path / f"train{letter}" / f"{number:02}.png", number)
    data = UnpairedFolders(path=str(tmp_path))
    train, test = data.load(tmp_path).tensors, data.load(tmp_path, "test").tensors
    assert test["a"][:, 0, 0, 0].tolist() == test["b"][:, 0, 0, 0].tolist() == [9, 19]
    assert sorted([*train["a"][:, 0, 0, 0].tolist(), 9, 19]) == list(range(20))
    assert "one image in 10 is held out for testing" in data.info(tmp_path).notes


def test_the_checksum_is_that_of_the_pixels_in_their_domains(unpaired: Path) -> None:
    first = UnpairedFolders(path="set", channels=3).load(unpaired).checksum
    assert UnpairedFolders(path="set", channels=3).load(unpaired).checksum == first
    for folder in ("train", "test"):
        (unpaired / "set" / f"{folder}A").rename(unpaired / "set" / "aside")
        (unpaired / "set" / f"{folder}B").rename(unpaired / "set" / f"{folder}A")
        (unpaired / "set" / "aside").rename(unpaired / "set" / f"{folder}B")
    assert UnpairedFolders(path="set", channels=3).load(unpaired).checksum != first


def test_a_missing_domain_is_said_with_the_layout(unpaired: Path) -> None:
    with pytest.raises(DatasetUnavailable, match="unpaired-folders: there is no folder nowhere"):
        UnpairedFolders(path="nowhere").info(unpaired)
    with pytest.raises(
        DatasetError, match=r"no folder trainA in it\.\n  Put the domains into the folders trainA and trainB"
    ):
        UnpairedFolders(path=str(unpaired / "set" / "testA")).info(unpaired)
    for path in (unpaired / "set" / "trainB").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match="there is no image in it"):
        UnpairedFolders(path="set").info(unpaired)


@pytest.mark.parametrize("damage", ["text", "cut"])
def test_a_broken_image_is_named(unpaired: Path, damage: str) -> None:
    path = unpaired / "set" / "trainB" / "broken.png"
    Image.effect_noise((40, 40), 50).save(path)
    path.write_bytes(b"hello" if damage == "text" else path.read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"broken\.png"):
        UnpairedFolders(path="set").load(unpaired)


def test_pairs_are_files_of_one_name_whatever_their_endings(tmp_path: Path) -> None:
    for number, name in enumerate(["1", "1-b", "10", "2"]):
        save(tmp_path / "trainA" / f"{name}.png", 10 * number)
        save(tmp_path / "trainB" / f"{name}.bmp", 10 * number + 1)
    data = PairedFolders(path=str(tmp_path))
    info, tensors = data.info(tmp_path), data.load(tmp_path).tensors
    assert (info.paired, info.size) == (True, 4)
    assert (tensors["b"][:, 0, 0, 0] - tensors["a"][:, 0, 0, 0]).tolist() == [1, 1, 1, 1]


def test_images_without_a_partner_are_named(tmp_path: Path) -> None:
    for letter, names in (("A", "xyz"), ("B", "xyw")):
        for name in names:
            save(tmp_path / f"train{letter}" / f"{name}.png", 1)
    with pytest.raises(
        DatasetError, match=r"2 images have no partner(.|\n)*z \(train(.|\n)*w \(train(.|\n)*unpaired-folders"
    ):
        PairedFolders(path=str(tmp_path)).info(tmp_path)


@pytest.mark.parametrize("held_out", ["val", "test", ""])
def test_pictures_side_by_side_are_cut_in_the_middle(tmp_path: Path, held_out: str) -> None:
    def pair(path: Path, left: int, right: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.new("RGB", (16, 8), (left, 0, 0))
        picture.paste((right, 0, 0), (8, 0, 16, 8))
        picture.save(path)

    for number in range(10):
        pair(tmp_path / ("train" if held_out else "") / f"{number}.png", number, 100 + number)
    if held_out:
        pair(tmp_path / held_out / "x.png", 50, 150)
    data = PairedFolders(path=str(tmp_path))
    assert shapes_of(data.info(tmp_path)) == {"a": (3, 8, 8), "b": (3, 8, 8)}
    train, test = data.load(tmp_path).tensors, data.load(tmp_path, "test").tensors
    for values in (train, test):
        assert (values["a"] == values["a"][:, :, :1, :1]).all()  # nothing of the other half has come in
        assert (values["b"][:, 0] - values["a"][:, 0] == 100).all()
    assert (len(train["a"]), len(test["a"])) == ((10, 1) if held_out else (9, 1))


def test_a_picture_of_odd_width_is_not_two(tmp_path: Path) -> None:
    save(tmp_path / "train" / "odd.png", 1, size=(15, 8))
    with pytest.raises(DatasetError, match="pictures of 15 x 8 are not two side by side"):
        PairedFolders(path=str(tmp_path)).info(tmp_path)


def test_real_domains_are_understood(real_data: Path) -> None:
    info = UnpairedFolders(path="eurosat_river2highway").info(real_data)
    assert (shapes_of(info), info.size) == ({"a": (3, 64, 64), "b": (3, 64, 64)}, 1000)
