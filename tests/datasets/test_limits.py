"""Data files of any origin: limits before anything is read, plain files only, and messages that name the file."""

from __future__ import annotations

import gzip
import io
import os
import resource
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from ganzoo.datasets import cifar10
from ganzoo.datasets.cifar10 import ARCHIVE, CIFAR10, FOLDER, RECORD
from ganzoo.datasets.domain_folders import PairedFolders, UnpairedFolders
from ganzoo.datasets.image_folder import ImageFolder
from ganzoo.datasets.mnist import MNIST
from ganzoo.errors import DatasetError

GIB = 2**30
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """What is read whole that should not be is found by the memory that it takes: 500 MB would be noticed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def sparse(path: Path, content: bytes = b"", size: int = 20 * GIB) -> Path:
    """A file of 20 GiB that takes no room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.truncate(path, size)
    return path


def gzip_bomb(path: Path, begin: bytes, size: int = 3 * GIB) -> None:
    """3 MB that unpack to 3 GiB: members of a .gz file follow one another."""
    path.write_bytes(gzip.compress(begin) + gzip.compress(bytes(2**26)) * (size // 2**26))


def idx(count: int) -> bytes:
    return struct.pack(">4i", 0x803, count, 28, 28)


def small_mnist(folder: Path) -> None:
    (folder / IMAGES).write_bytes(idx(3) + bytes(3 * 784))
    (folder / LABELS).write_bytes(struct.pack(">2i", 0x801, 3) + bytes(3))


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_a_sparse_idx_file_of_20_gib_is_refused_by_name(name: str, tmp_path: Path) -> None:
    small_mnist(tmp_path)
    sparse(tmp_path / name, (tmp_path / name).read_bytes())
    with pytest.raises(DatasetError, match=f"{name}: cannot be read: Larger than 1 GiB"):
        MNIST().load(tmp_path)


def test_an_idx_header_that_announces_terabytes_is_refused_before_they_are_sought(tmp_path: Path) -> None:
    small_mnist(tmp_path)
    (tmp_path / IMAGES).write_bytes(struct.pack(">4I", 0x803, 2**31, 2**20, 28) + bytes(99))
    with pytest.raises(DatasetError, match=rf"{IMAGES}: its header .* makes more than 1 GiB"):
        MNIST().load(tmp_path)


def test_a_gzip_bomb_is_unpacked_no_further_than_its_header_says(tmp_path: Path) -> None:
    small_mnist(tmp_path)
    (tmp_path / IMAGES).unlink()
    gzip_bomb(tmp_path / f"{IMAGES}.gz", idx(3))
    with pytest.raises(DatasetError, match=rf"{IMAGES}\.gz: more after a header \(3 x 28 x 28\)"):
        MNIST().load(tmp_path)


def test_a_sparse_cifar_file_is_refused_by_name(tmp_path: Path) -> None:
    for name in (*cifar10.FILES["train"], *cifar10.FILES["test"]):
        sparse(tmp_path / FOLDER / name)
    with pytest.raises(DatasetError, match=r"data_batch_1\.bin: cannot be read: Larger than 64 MiB"):
        CIFAR10().load(tmp_path)


def test_a_sparse_cifar_archive_is_refused_by_name(tmp_path: Path) -> None:
    sparse(tmp_path / ARCHIVE)
    with pytest.raises(DatasetError, match=f"{ARCHIVE}: cannot be read: Larger than 256 MiB"):
        CIFAR10().load(tmp_path)


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content)
    return info, content


RECORDS = [member(f"{FOLDER}/{name}", bytes([1]) + bytes(RECORD - 1)) for name in cifar10.FILES["train"]]
HOSTILE = {
    "leads out of the folder": [*RECORDS, member("../../escaped", b"x"), member(f"{FOLDER}/../../escaped", b"x")],
    "an absolute path": [*RECORDS, member("/tmp/ganzoo-escaped", b"x")],
    "a file through a link": [*RECORDS, member("link", kind=tarfile.SYMTYPE, target="/tmp"), member("link/escaped")],
    "a device": [*RECORDS, member(f"{FOLDER}/null", kind=tarfile.CHRTYPE)],
}  # fmt: skip
REPLACED = {
    "a symbolic link": member(RECORDS[2][0].name, kind=tarfile.SYMTYPE, target="/etc/passwd"),
    "a hard link out of it": member(RECORDS[2][0].name, kind=tarfile.LNKTYPE, target="/etc/passwd"),
    "a pipe": member(RECORDS[2][0].name, kind=tarfile.FIFOTYPE),
    "a device": member(RECORDS[2][0].name, kind=tarfile.CHRTYPE),
}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes an archive in a folder of its own that counts as the published one."""

    def make(members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
        root = tmp_path / "a" / "root"
        root.mkdir(parents=True)
        with tarfile.open(root / ARCHIVE, "w:gz") as tar:
            for info, content in members:
                tar.addfile(info, io.BytesIO(content))
        monkeypatch.setattr(cifar10, "MD5", cifar10.file_digest(root / ARCHIVE, "md5", limit=GIB))
        return root

    return make


@pytest.mark.parametrize("what", HOSTILE)
def test_only_the_files_of_records_come_out_of_an_archive(
    what: str, tmp_path: Path, archive: Callable[..., Path]
) -> None:
    root = archive(HOSTILE[what])
    assert len(CIFAR10().load(root).tensors["real"]) == 5
    written = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir())
    records = [f"a/root/{FOLDER}/{name}" for name in cifar10.FILES["train"]]
    assert written == sorted([f"a/root/{ARCHIVE}", *records])
    assert not Path("/tmp/ganzoo-escaped").exists()


@pytest.mark.parametrize("what", REPLACED)
def test_a_link_in_the_place_of_a_file_of_records_is_refused(what: str, archive: Callable[..., Path]) -> None:
    root = archive([*RECORDS[:2], REPLACED[what], *RECORDS[3:]])
    with pytest.raises(DatasetError, match=rf"{ARCHIVE}: cannot be read: .*(data_batch_3\.bin|/etc/passwd)"):
        CIFAR10().load(root)
    assert not (root / FOLDER).exists()


def test_an_archive_without_a_file_or_cut_off_is_named(
    archive: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = archive(RECORDS[:3])
    with pytest.raises(DatasetError, match=rf"{ARCHIVE}: cannot be read: .*data_batch_4\.bin"):
        CIFAR10().load(root)
    content = (root / ARCHIVE).read_bytes()
    (root / ARCHIVE).write_bytes(content[: len(content) // 2])
    monkeypatch.setattr(cifar10, "MD5", cifar10.file_digest(root / ARCHIVE, "md5", limit=GIB))
    with pytest.raises(DatasetError, match=f"{ARCHIVE}: cannot be read"):
        CIFAR10().load(root)


def png_bomb(path: Path, side: int, *, whole: bool = False) -> None:
    """An image of side x side pixels in some kilobytes. whole: whether the pixels follow the header."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    path.parent.mkdir(parents=True, exist_ok=True)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side + 1)) for _ in range(side if whole else 1)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def small_images(folder: Path, count: int = 10) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("L", (8, 8), number).save(folder / f"{number}.png")


@pytest.mark.parametrize("side", [12_000, 30_000])  # beyond Pillow's limit for a warning, and for an error
def test_a_decompression_bomb_is_named_with_the_option_that_allows_it(side: int, tmp_path: Path) -> None:
    small_images(tmp_path / "images")
    png_bomb(tmp_path / "images" / "bomb.png", side)
    with pytest.raises(DatasetError, match=rf"bomb\.png: {side:,} x {side:,}") as caught:
        ImageFolder(path=str(tmp_path / "images")).info(tmp_path)
    assert caught.value.remedy.endswith(f"[dataset] max_pixels = {side * side}.")
    assert ImageFolder(path=str(tmp_path / "images"), max_pixels=side * side).info(tmp_path).size > 0


def test_an_allowed_image_is_decoded_and_a_refused_one_is_not(tmp_path: Path) -> None:
    small_images(tmp_path / "images")
    png_bomb(tmp_path / "images" / "large.png", 11_000, whole=True)
    data = ImageFolder(path=str(tmp_path / "images"), size=8, max_pixels=11_000**2)
    assert data.load(tmp_path).tensors["real"].shape == (10, 1, 8, 8)
    small = ImageFolder(path=str(tmp_path / "images"), size=8, max_pixels=63)
    with pytest.raises(DatasetError, match="11 images have more than 63 pixels"):
        small.load(tmp_path)


def test_an_image_that_grew_since_it_was_listed_is_refused_when_it_is_decoded(tmp_path: Path) -> None:
    small_images(tmp_path / "images")
    data = ImageFolder(path=str(tmp_path / "images"))
    data.info(tmp_path)
    png_bomb(tmp_path / "images" / "3.png", 11_000)
    with pytest.raises(DatasetError, match=r"3\.png: 11,000 x 11,000, which is more than 100,000,000 pixels"):
        data.load(tmp_path)


@pytest.mark.parametrize(("kind", "folders"), [(UnpairedFolders, "AB"), (PairedFolders, "AB"), (PairedFolders, "")])
def test_domains_have_the_limit_too(kind: type[UnpairedFolders], folders: str, tmp_path: Path) -> None:
    for letter in folders or [""]:
        small_images(tmp_path / "data" / f"train{letter}")
        png_bomb(tmp_path / "data" / f"train{letter}" / "bomb.png", 12_000)
    with pytest.raises(DatasetError, match=r"bomb\.png: 12,000 x 12,000"):
        kind(path=str(tmp_path / "data")).info(tmp_path)
    kind(path=str(tmp_path / "data"), max_pixels=12_000**2).info(tmp_path)


def test_pillows_own_limit_is_as_before(tmp_path: Path) -> None:
    small_images(tmp_path / "images")
    before = Image.MAX_IMAGE_PIXELS
    ImageFolder(path=str(tmp_path / "images")).load(tmp_path)
    assert Image.MAX_IMAGE_PIXELS == before is not None


def test_a_sparse_image_is_refused_by_name(tmp_path: Path) -> None:
    small_images(tmp_path / "images")
    sparse(tmp_path / "images" / "sparse.jpg", b"\xff\xd8\xff\xe0")
    with pytest.raises(DatasetError, match=r"sparse\.jpg: Larger than 1 GiB"):
        ImageFolder(path=str(tmp_path / "images")).info(tmp_path)


def test_pipes_and_devices_among_the_images_are_neither_waited_for_nor_read(tmp_path: Path) -> None:
    small_images(tmp_path / "images")
    os.mkfifo(tmp_path / "images" / "pipe.png")
    (tmp_path / "images" / "zero.png").symlink_to("/dev/zero")
    data = ImageFolder(path=str(tmp_path / "images"))
    assert len(data.load(tmp_path).tensors["real"]) == 9
    (tmp_path / "images" / "3.png").unlink()
    os.mkfifo(tmp_path / "images" / "3.png")  # after it was listed
    with pytest.raises(DatasetError, match=r"3\.png: Not a plain file"):
        data.load(tmp_path)
