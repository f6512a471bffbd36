"""What the header of an image file says of its pixels is honoured, reported, or the file is refused by name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganzoo.core.data import Field
from ganzoo.datasets.image_folder import ImageFolder
from ganzoo.errors import DatasetError, GanzooError
from ganzoo.kinds.image import Image as ImageKind


def write_tiff(path: Path, values: NDArray[Any], photometric: int = 1, extra: int | None = None, bits: int = 0) -> None:
    """A little-endian TIFF of (height, width, channels) values. extra: meaning of the last channel; bits: as packed."""
    height, width, channels = values.shape
    data = pack_12_bits(values) if bits == 12 else values.tobytes()
    form = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    tags = [(256, width), (257, height), (258, bits or 8 * values.dtype.itemsize), (259, 1), (262, photometric)]
    tags += [(273, 0), (277, channels), (278, height), (279, len(data))]
    tags += [(338, extra)] if extra is not None else []
    tags += [(339, form)]
    start = 8 + 2 + 12 * len(tags) + 4
    repeated = struct.pack("<4H", *[bits or 8 * values.dtype.itemsize] * 4) + struct.pack("<4H", *[form] * 4)
    entries = b""
    for tag, value in tags:
        if tag in (258, 339) and channels > 2:
            entries += struct.pack("<HHII", tag, 3, channels, start + (0 if tag == 258 else 8))
        elif tag in (258, 339):
            entries += struct.pack("<HHI4s", tag, 3, channels, struct.pack("<H", value) * channels)
        else:
            entries += struct.pack("<HHII", tag, 4, 1, start + 16 if tag == 273 else value)
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(tags))
    path.write_bytes(head + entries + struct.pack("<I", 0) + repeated + data)


def pack_12_bits(values: NDArray[Any]) -> bytes:
    """Values of 12 bits, two in three bytes."""
    first, second = values.reshape(-1, 2).astype(int).T
    return np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8).tobytes()


def write_png(path: Path, rows: list[bytes], width: int, bits: int, colour: int, transparent: bytes) -> None:
    """A PNG of any depth with one transparent colour. colour: 0 for grey, 2 for red, green and blue."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"tRNS", transparent)
    body += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def stored(path: Path, channels: Literal[1, 2, 3, 4] | None = None) -> NDArray[Any]:
    """The only image of a folder, (height, width, channels)."""
    data = ImageFolder(path=str(path.parent), channels=channels)
    return data.load(path.parent).tensors["real"][0].permute(1, 2, 0).numpy()


def notes(path: Path) -> tuple[str, ...]:
    """What a person is told of the folder."""
    return ImageFolder(path=str(path.parent)).info(path.parent).notes


GREY_16 = np.array([[0, 1, 1000, 30000], [32768, 65000, 65534, 65535]] * 2, dtype="<u2")[..., None]


def test_a_tiff_whose_white_is_zero_is_not_a_negative(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", 65535 - GREY_16, photometric=0)
    assert np.array_equal(stored(tmp_path / "a.tif"), GREY_16)
    write_tiff(tmp_path / "a.tif", (255 - GREY_16 // 257).astype(np.uint8), photometric=0)
    assert np.array_equal(stored(tmp_path / "a.tif"), GREY_16 // 257)


def test_white_of_a_tiff_of_12_bits_stays_white(tmp_path: Path) -> None:
    values = np.array([[0, 1, 2048, 4095]] * 4, dtype="<u2")[..., None]
    write_tiff(tmp_path / "a.tif", values, bits=12)
    assert stored(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 16, 32776, 65535]


def test_signed_bytes_do_not_wrap_around(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", np.array([[-1, -128, 0, 127]] * 4, dtype="i1")[..., None])
    with pytest.raises(DatasetError, match=r"a\.tif: its pixels are floating point, signed, or of 32 bits"):
        notes(tmp_path / "a.tif")


def test_doubles_are_refused_as_what_they_are(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", np.zeros((4, 4, 1)))
    with pytest.raises(DatasetError, match=r"a\.tif: this TIFF file is .*of a kind that cannot be read"):
        notes(tmp_path / "a.tif")


@pytest.mark.parametrize("channels", [2, 4])
def test_channels_that_are_not_read_are_counted(tmp_path: Path, channels: int) -> None:
    values = np.tile(np.arange(10, 10 + channels, dtype=np.uint8), (4, 4, 1))
    write_tiff(tmp_path / "a.tif", values, photometric=1 if channels == 2 else 2, extra=0)
    assert np.array_equal(stored(tmp_path / "a.tif"), values[..., :-1])
    assert "1 of 1 images have further channels, which are not read" in notes(tmp_path / "a.tif")


def test_grey_that_is_multiplied_by_alpha_is_laid_on_white_too(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", np.tile(np.array([10, 20], np.uint8), (4, 4, 1)), extra=1)
    assert np.unique(stored(tmp_path / "a.tif")).tolist() == [10 + 235]
    assert np.unique(stored(tmp_path / "a.tif", 2).reshape(-1, 2), axis=0).tolist() == [[127, 20]]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_transparent_grey_of_few_bits_is_the_one_that_the_file_names(tmp_path: Path, bits: int) -> None:
    levels = 2**bits
    values = np.arange(8) % levels
    packed = np.packbits((values[:, None] >> np.arange(bits)[::-1] & 1).astype(np.uint8).ravel()).tobytes()
    write_png(tmp_path / "a.png", [packed] * 4, 8, bits, 0, struct.pack(">H", 1))
    seen = values * 255 // (levels - 1)
    assert stored(tmp_path / "a.png")[0, :, 0].tolist() == np.where(values == 1, 255, seen).tolist()
    assert stored(tmp_path / "a.png", 2)[0, :, 1].tolist() == np.where(values == 1, 0, 255).tolist()


def test_a_transparent_colour_of_16_bits_is_transparent(tmp_path: Path) -> None:
    row = struct.pack(">3H", 0x1234, 0x5678, 0x9ABC) + bytes([9] * 18)
    write_png(tmp_path / "a.png", [row] * 4, 4, 16, 2, struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))
    assert stored(tmp_path / "a.png", 4)[0].tolist() == [[0x12, 0x56, 0x9A, 0], *[[9, 9, 9, 255]] * 3]


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WEBP", "PNG", "MPO"])
def test_the_first_of_several_frames_is_read_and_that_is_said(tmp_path: Path, form: str) -> None:
    path = tmp_path / ("a.jpg" if form == "MPO" else f"a.{form.lower()}")
    red, blue = Image.new("RGB", (8, 8), (200, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 200))
    red.save(path, form, save_all=True, append_images=[blue, red])
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "b.png")
    source = ImageFolder(path=str(tmp_path)).load(tmp_path).tensors["real"]
    assert (source.float() - source[1].float()).abs().max() <= 8  # WebP and JPEG lose some
    assert "1 of 2 images have several frames or pages, of which the first is read" in notes(path)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WEBP", "PNG", "JPEG", "BMP", "PPM"])
def test_a_truncated_image_is_refused_by_name(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a.{form.lower()}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, form)
    whole = path.read_bytes()
    for part in (0, 1, 30, len(whole) // 2, len(whole) - 2000):
        path.write_bytes(whole[:part])
        with pytest.raises(DatasetError, match=rf"a\.{form.lower()}: "):
            stored(path)
        with pytest.raises(GanzooError, match=rf"a\.{form.lower()}: this image cannot be read: "):
            ImageKind().read(path, Field((3, 64, 64), "uint8"))
