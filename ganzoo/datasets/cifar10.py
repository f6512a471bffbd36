"""CIFAR-10 in its binary version. The usual download contains Python pickles, which ganzoo does not read."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field
from ganzoo.datasets.digest import digest_of
from ganzoo.datasets.download import network_access
from ganzoo.errors import DatasetError, DatasetUnavailable

Split = Literal["train", "test"]
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
FILES: dict[Split, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
RECORD = 1 + 3 * 32 * 32
"""Bytes of an example: its label, then the red, green and blue planes."""


CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class CIFAR10(Dataset):
    """Photographs of ten classes (Krizhevsky, 2009): 50,000 for training and 10,000 for testing, 32x32, colour.

    The binary version is read from <data root>/cifar-10-batches-bin (also inside cifar10/ or CIFAR10/), or from
    cifar-10-binary.tar.gz next to it, or downloaded; the archive is opened only if its MD5 is the published one.
    """

    def is_available(self, root: Path) -> bool:
        """Whether the files of both splits, or the archive that contains them, are there."""
        return bool(find_archive(root) or (find_folder(root, "train") and find_folder(root, "test")))

    def info(self, root: Path) -> DatasetInfo:
        """32x32, colour."""
        return DatasetInfo(
            fields={"real": Field((3, 32, 32), "uint8"), "label": Field.label(CLASSES)},
            size=50_000,
            licence="none stated; for research",
            source="Alex Krizhevsky, University of Toronto",
        )

    def load(self, root: Path, split: Split = "train") -> Examples:
        """One split. Raises: DatasetUnavailable, DatasetError."""
        folder = find_folder(root, split) or unpack(root)
        batches = [read_records(folder / name) for name in FILES[split]]
        labels = torch.cat([labels for labels, _ in batches])
        images = torch.cat([images for _, images in batches])
        tensors = {"real": images, "label": labels}
        return Examples(tensors=tensors, checksum=digest_of(tensors), origin=str(folder))


def find_folder(root: Path, split: Split) -> Path | None:
    """The unpacked folder with all files of the split, if there is one."""
    for place in (root, root / "cifar10", root / "CIFAR10"):
        for folder in (place / FOLDER, place):
            if all((folder / name).is_file() for name in FILES[split]):
                return folder
    return None


def read_records(path: Path) -> tuple[Tensor, Tensor]:
    """A file's labels (n,) int64 and images (n, 3, 32, 32) uint8. Raises: DatasetError, naming the file."""
    content = np.fromfile(path, dtype=np.uint8)
    if not len(content) or len(content) % RECORD:
        raise DatasetError(
            f"{path}: {len(content):,} bytes, which is not a whole number of records of {RECORD:,}.",
            remedy="The file is cut off or damaged: delete it and get it again.",
        )
    records = torch.from_numpy(content).view(-1, RECORD)
    if int(records[:, 0].max()) > 9:
        raise DatasetError(f"{path}: a label of {int(records[:, 0].max())}, and there are 10 classes.")
    return records[:, 0].long(), records[:, 1:].reshape(-1, 3, 32, 32).contiguous()


def find_archive(root: Path) -> Path | None:
    """The archive's path, or None where it is missing."""
    places = (root, root / "cifar10", root / "CIFAR10")
    return next((path for place in places if (path := place / ARCHIVE).is_file()), None)


def unpack(root: Path) -> Path:
    """Unpacks the archive, downloading it first where it is missing. Raises: DatasetError, DatasetUnavailable."""
    archive = find_archive(root) or fetch(root)
    if hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest() != MD5:
        raise DatasetError(
            f"{archive}: its MD5 is not {MD5}: the file is cut off, damaged, or another one.",
            remedy="Delete it and get it again.",
        )
    with tarfile.open(archive) as tar:
        tar.extractall(archive.parent, filter="data")
    return archive.parent / FOLDER


def fetch(root: Path) -> Path:
    """Downloads the archive. Raises: DatasetUnavailable."""
    from torchvision.datasets.utils import download_url

    remedy = (
        f"Put {ARCHIVE}, or the folder {FOLDER} from it, into a folder, and name that folder with GANZOO_DATA or "
        '--data-root; or give the recipe [dataset] fallback = "glyphs".'
    )
    if (root / "cifar-10-batches-py").is_dir():
        raise DatasetUnavailable(
            f"{root} holds CIFAR-10 as Python pickles, which ganzoo does not read: a pickle can run any code.",
            remedy=remedy,
        )
    with network_access("CIFAR-10", remedy):
        download_url(URL, str(root), filename=ARCHIVE, md5=MD5)
    return root / ARCHIVE
