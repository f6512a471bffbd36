"""CIFAR-10 is read from its binary form only, after its digest, and strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganzoo.datasets.cifar10 import ARCHIVE, CIFAR10, FOLDER
from ganzoo.errors import DatasetError, DatasetUnavailable


def record(label: int, red: int, green: int, blue: int) -> bytes:
    return bytes([label]) + bytes([red]) * 1024 + bytes([green]) * 1024 + bytes([blue]) * 1024


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / FOLDER
    folder.mkdir()
    for number in range(1, 6):
        (folder / f"data_batch_{number}.bin").write_bytes(record(number, 10 * number, 20, 30) * 2)
    (folder / "test_batch.bin").write_bytes(record(9, 1, 2, 3))
    return tmp_path


def test_records_become_images_and_labels(root: Path) -> None:
    tensors = CIFAR10().load(root).tensors
    assert tensors["label"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert tensors["real"].shape == (10, 3, 32, 32)
    assert tensors["real"][2, :, 5, 7].tolist() == [20, 20, 30]
    assert len(CIFAR10().load(root, "test").tensors["real"]) == 1


def test_a_cut_file_and_a_foreign_label_are_named(root: Path) -> None:
    path = root / FOLDER / "data_batch_3.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DatasetError, match=r"data_batch_3\.bin"):
        CIFAR10().load(root)
    path.write_bytes(b"\x0a" + whole[1:])
    with pytest.raises(DatasetError, match="a label of 10"):
        CIFAR10().load(root)


def test_an_archive_with_another_digest_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(b"not the archive")
    with pytest.raises(DatasetError, match="MD5"):
        CIFAR10().load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [ARCHIVE]


def test_pickles_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(DatasetUnavailable, match="a pickle can run any code"):
        CIFAR10().load(tmp_path)
