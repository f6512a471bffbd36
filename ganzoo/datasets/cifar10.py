"""CIFAR-10 in its binary version. The usual download contains Python pickles, which ganzoo does not read."""

from __future__ import annotations

import errno
import tarfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field
from ganzoo.datasets.atomic import replace_file
from ganzoo.datasets.digest import digest_of, file_digest
from ganzoo.datasets.download import Remote, download
from ganzoo.errors import DatasetError, DatasetUnavailable
from ganzoo.recipe.plain_file import MIB, read_plain_file, size_text

Split = Literal["train", "test"]
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"
FILES: dict[Split, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
MAX_FILE, MAX_ARCHIVE = 64 * MIB, 256 * MIB
"""The most bytes that are read of a file of records, which has 30 MB, and of the archive, which has 170 MB."""

GET_AGAIN = "Delete it and get it again."

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
        folder = find_folder(root, split)
        if folder:
            contents = {folder / name: read_file(folder / name) for name in FILES[split]}
        else:
            archive = find_archive(root) or fetch(root)
            contents = unpack(archive, split)
            folder = archive.parent / FOLDER
        batches = [read_records(path, content) for path, content in contents.items()]
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


def read_file(path: Path) -> bytes:
    """The content of a file of records. Raises: DatasetError, naming it."""
    try:
        return read_plain_file(path, limit=MAX_FILE)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}.", remedy=GET_AGAIN) from error


def read_records(path: Path, content: bytes) -> tuple[Tensor, Tensor]:
    """The labels (n,) int64 and images (n, 3, 32, 32) uint8 of a file. Raises: DatasetError, naming the file."""
    if not content or len(content) % RECORD:
        raise DatasetError(
            f"{path}: {len(content):,} bytes, which is not a whole number of records of {RECORD:,}.",
            remedy=f"The file is cut off or damaged. {GET_AGAIN}",
        )
    records = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(-1, RECORD)
    if int(records[:, 0].max()) > 9:
        raise DatasetError(f"{path}: a label of {int(records[:, 0].max())}, and there are 10 classes.")
    return records[:, 0].long(), records[:, 1:].reshape(-1, 3, 32, 32).contiguous()


def find_archive(root: Path) -> Path | None:
    """The archive's path, or None where it is missing."""
    places = (root, root / "cifar10", root / "CIFAR10")
    return next((path for place in places if (path := place / ARCHIVE).is_file()), None)


def unpack(archive: Path, split: Split) -> dict[Path, bytes]:
    """The files of a split by their paths, from the archive; they are written to these paths too, where they can be.

    Only the members that are known by name are read, and each is written by itself, so that nothing else in an archive
    (paths that lead out of the folder, links, devices) has any effect. Raises: DatasetError, naming the archive.
    """
    try:
        if file_digest(archive, "md5", limit=MAX_ARCHIVE) != MD5:
            raise DatasetError(
                f"{archive}: its MD5 is not {MD5}: the file is cut off, damaged, or another one.", remedy=GET_AGAIN
            )
        with tarfile.open(archive) as tar:
            contents = {archive.parent / FOLDER / name: read_member(tar, name) for name in FILES[split]}
    except (OSError, EOFError, KeyError, zlib.error, tarfile.TarError) as error:
        reason = getattr(error, "strerror", None) or str(error).strip('"')
        raise DatasetError(f"{archive}: cannot be read: {reason}.", remedy=GET_AGAIN) from error
    with suppress(OSError):  # a folder that may only be read: it is unpacked each time
        (archive.parent / FOLDER).mkdir(exist_ok=True)
        for path, content in contents.items():
            replace_file(path, content)
    return contents


def read_member(tar: tarfile.TarFile, name: str) -> bytes:
    """The content of a file of records in the archive. Raises: OSError where it is no plain file, or too large."""
    member = tar.getmember(f"{FOLDER}/{name}")
    file = tar.extractfile(member) if member.isreg() and member.size <= MAX_FILE else None
    if file is None:
        raise OSError(errno.EINVAL, f"{member.name} in it is not a plain file of at most {size_text(MAX_FILE)}")
    with file:
        return file.read()


def fetch(root: Path) -> Path:
    """Downloads the archive. Raises: DatasetUnavailable."""
    remedy = (
        f"Put {ARCHIVE}, or the folder {FOLDER} from it, into a folder, and name that folder with GANZOO_DATA or "
        '--data-root; or give the recipe [dataset] fallback = "glyphs".'
    )
    if (root / "cifar-10-batches-py").is_dir():
        raise DatasetUnavailable(
            f"{root} holds CIFAR-10 as Python pickles, which ganzoo does not read: a pickle can run any code.",
            remedy=remedy,
        )
    download(Remote([URL], f"md5:{MD5}", MAX_ARCHIVE), root / ARCHIVE, name="CIFAR-10", remedy=remedy)
    return root / ARCHIVE
