"""Files of 16 bits, of floating point and with transparency: stored by one declared rule, or refused by name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ganzoo.core.data import Field
from ganzoo.datasets import folder_index
from ganzoo.datasets.domain_folders import PairedFolders, UnpairedFolders
from ganzoo.datasets.image_folder import ImageFolder
from ganzoo.errors import DatasetError

GREY_16 = np.array([[0, 1, 255, 256], [257, 1000, 32767, 32768], [4095, 65279, 65534, 65535]], dtype=np.uint16)
"""An image whose values no 8 bits can tell apart, and whose largest is not that of every image."""


def write_png_16(path: Path, pixels: NDArray[Any], transparent: int | None = None) -> None:
    """A PNG of 16 bits a channel, grey (H, W) or colours (H, W, 3), as Pillow writes none. transparent: a grey."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    key = b"" if transparent is None else chunk(b"tRNS", struct.pack(">H", transparent))
    body = chunk(b"IHDR", header) + key + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def write_tiff(path: Path, pixels: NDArray[Any]) -> None:
    """A TIFF of one channel in the byte order and the type of the array."""
    order = ">" if pixels.dtype.byteorder == ">" else "<"
    form = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    bits = 8 * pixels.dtype.itemsize
    height, width = pixels.shape
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 0), (277, 1), (278, height)]
    tags += [(279, pixels.nbytes), (339, form)]
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in tags)
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8)
    path.write_bytes(
        head + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0) + pixels.tobytes()
    )


def only(data: ImageFolder, root: Path) -> torch.Tensor:
    """The first image of a folder."""
    return data.load(root).tensors["real"][0]


@pytest.mark.parametrize("form", ["png", "little-endian tiff", "big-endian tiff", "compressed tiff", "pgm"])
def test_grey_files_of_16_bits_are_stored_value_for_value(tmp_path: Path, form: str) -> None:
    match form:
        case "png":
            write_png_16(tmp_path / "a.png", GREY_16)
        case "little-endian tiff":
            write_tiff(tmp_path / "a.tif", GREY_16.astype("<u2"))
        case "big-endian tiff":
            write_tiff(tmp_path / "a.tif", GREY_16.astype(">u2"))
        case "compressed tiff":
            Image.fromarray(GREY_16).save(tmp_path / "a.tif", compression="tiff_lzw")
        case "pgm":
            (tmp_path / "a.pgm").write_bytes(b"P5 4 3 65535\n" + GREY_16.astype(">u2").tobytes())
    data = ImageFolder(path=str(tmp_path))
    info = data.info(tmp_path)
    assert info.fields["real"] == Field((1, 3, 4), "uint16")
    assert [note for note in info.notes if "bits" in note] == ["16 bits a channel"]
    stored = only(data, tmp_path)
    assert stored.dtype == torch.uint16
    assert np.array_equal(stored[0].numpy(), GREY_16)


def test_images_of_16_bits_keep_their_brightness_beside_each_other(tmp_path: Path) -> None:
    for number, largest in enumerate((1000, 65535)):
        write_png_16(tmp_path / f"{number}.png", np.full((4, 4), largest))
    dark, bright = ImageFolder(path=str(tmp_path), depth=8).load(tmp_path).tensors["real"][:, 0, 0, 0].tolist()
    assert (dark, bright) == (round(1000 / 257), 255)


def test_8_bits_survive_the_way_to_16_and_back(tmp_path: Path) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(every).save(tmp_path / "a.png")
    deep = only(ImageFolder(path=str(tmp_path), depth=16), tmp_path)
    assert np.array_equal(deep[0].numpy(), every.astype(np.uint16) * 257)
    (tmp_path / "a.png").unlink()
    write_png_16(tmp_path / "a.png", deep[0].numpy())
    assert np.array_equal(only(ImageFolder(path=str(tmp_path), depth=8), tmp_path)[0].numpy(), every)


def test_a_folder_of_both_depths_has_8_bits_and_says_so(tmp_path: Path) -> None:
    write_png_16(tmp_path / "a.png", np.full((4, 4), 257 * 7))
    Image.new("L", (4, 4), 9).save(tmp_path / "b.png")
    data = ImageFolder(path=str(tmp_path))
    info = data.info(tmp_path)
    assert info.fields["real"] == Field((1, 4, 4), "uint8")
    assert "1 of 2 images of 16 bits are scaled to 8" in info.notes
    assert data.load(tmp_path).tensors["real"][:, 0, 0, 0].tolist() == [7, 9]
    deep = ImageFolder(path=str(tmp_path), depth=16)
    assert "1 of 2 images of 8 bits are scaled to 16" in deep.info(tmp_path).notes
    assert deep.load(tmp_path).tensors["real"][:, 0, 0, 0].tolist() == [257 * 7, 257 * 9]


def test_colours_of_16_bits_are_read_in_8_and_that_is_said(tmp_path: Path) -> None:
    write_png_16(tmp_path / "a.png", np.full((4, 4, 3), 0x1234))
    data = ImageFolder(path=str(tmp_path))
    info = data.info(tmp_path)
    assert info.fields["real"] == Field((3, 4, 4), "uint8")
    assert "1 of 1 images of 16 bits a channel in colour or with alpha are read in 8" in info.notes
    assert only(data, tmp_path).unique().tolist() == [0x12]


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<i2", "<u4", "<i4"])
def test_pixels_without_a_known_white_are_refused_by_name(tmp_path: Path, dtype: str) -> None:
    Image.new("L", (4, 3)).save(tmp_path / "fine.png")
    write_tiff(tmp_path / "scan.tif", (np.linspace(-1, 1, 12).reshape(3, 4) * 100).astype(dtype))
    with pytest.raises(DatasetError, match=r"1 images cannot be brought to 8 or 16 bits:\n  .*scan\.tif: ") as caught:
        ImageFolder(path=str(tmp_path)).info(tmp_path)
    assert "fine.png" not in str(caught.value)
    assert "save them as PNG or TIFF files of 16 bits" in caught.value.remedy


def test_a_file_that_became_floating_point_later_is_refused_by_name_too(tmp_path: Path) -> None:
    Image.new("L", (4, 3), 5).save(tmp_path / "a.tif")
    data = ImageFolder(path=str(tmp_path))
    source = data.stream(tmp_path)
    write_tiff(tmp_path / "a.tif", np.zeros((3, 4), "<f4"))
    with pytest.raises(DatasetError, match=r"a\.tif: its pixels are floating point"):
        source.fetch("real", [0])


def test_16_bits_are_scaled_without_a_detour_by_8(tmp_path: Path) -> None:
    ramp = np.linspace(20000, 21000, 64).round()
    write_png_16(tmp_path / "a.png", np.tile(ramp, (64, 1)))
    small = only(ImageFolder(path=str(tmp_path), size=16), tmp_path)[0].numpy().astype(int)
    expected = ramp.reshape(16, 4).mean(axis=1)
    assert np.abs(small - expected)[:, 2:-2].max() <= 8  # 8 bits would be 128 away; the filter sees three cells


def test_an_edge_of_16_bits_stays_an_edge_when_it_is_scaled(tmp_path: Path) -> None:
    write_png_16(tmp_path / "a.png", np.repeat([[0, 65535]], 32, axis=1).repeat(64, axis=0))
    small = only(ImageFolder(path=str(tmp_path), size=48), tmp_path)[0].numpy()
    assert small[:, :23].max() < 10_000  # where the filter's overshoot is not clipped, it turns into its opposite
    assert small[:, 25:].min() > 55_000
    assert (small.min(), small.max()) == (0, 65535)


def test_alpha_is_kept_where_channels_ask_for_it_and_laid_on_white_where_not(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), dtype=np.uint8)
    pixels[..., 0], pixels[:2, :, 3], pixels[2:, :, 3] = 200, 255, 64
    Image.fromarray(pixels).save(tmp_path / "a.png")
    kept = ImageFolder(path=str(tmp_path), channels=4)
    assert np.array_equal(only(kept, tmp_path).permute(1, 2, 0).numpy(), pixels)
    assert kept.info(tmp_path).details == {"alpha": True}
    assert not any("transparen" in note for note in kept.info(tmp_path).notes)
    laid = ImageFolder(path=str(tmp_path))
    assert laid.info(tmp_path).sample_shape == (3, 4, 4)
    note = "1 of 1 images have transparency, which is laid on white (channels = 4 keeps it)"
    assert note in laid.info(tmp_path).notes
    assert only(laid, tmp_path)[:, 0, 0].tolist() == [200, 0, 0]
    assert only(laid, tmp_path)[:, 3, 0].tolist() == [241, 191, 191]


def test_grey_with_alpha_has_two_channels_where_they_are_asked_for(tmp_path: Path) -> None:
    pixels = np.stack([np.full((4, 4), 90), np.tile([0, 255, 128, 7], (4, 1))], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(only(ImageFolder(path=str(tmp_path), channels=2), tmp_path).permute(1, 2, 0).numpy(), pixels)
    assert only(ImageFolder(path=str(tmp_path)), tmp_path)[0, 0].tolist() == [255, 90, 172, 250]


def test_a_transparent_grey_of_16_bits_is_transparent(tmp_path: Path) -> None:
    write_png_16(tmp_path / "a.png", GREY_16, transparent=1000)
    laid, kept = (only(ImageFolder(path=str(tmp_path), channels=n), tmp_path).numpy() for n in (1, 2))
    assert np.array_equal(laid[0], np.where(GREY_16 == 1000, 65535, GREY_16))
    assert np.array_equal(kept, [GREY_16, np.where(GREY_16 == 1000, 0, 65535)])


def test_streamed_images_of_16_bits_are_those_that_are_loaded(tmp_path: Path) -> None:
    stream = np.random.default_rng(0)
    for number in range(300):  # more than are decoded on one thread
        write_png_16(tmp_path / f"{number:03}.png", stream.integers(0, 65536, (6, 5)))
    data = ImageFolder(path=str(tmp_path), size=(4, 8))
    source, loaded = data.stream(tmp_path), data.load(tmp_path)
    rows = [7, 3, 255, 3]
    assert torch.equal(source.fetch("real", rows), loaded.fetch("real", rows))
    assert loaded.listing == source.checksum
    assert loaded.checksum == data.load(tmp_path).checksum
    shallow = ImageFolder(path=str(tmp_path), size=(4, 8), depth=8)
    assert shallow.stream(tmp_path).checksum != source.checksum, "another depth is other data"
    assert shallow.load(tmp_path).checksum != loaded.checksum


def test_checksums_of_8_bits_are_those_that_runs_so_far_have(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("L", (4, 3), 50 * number).save(tmp_path / f"{number}.bmp")
    loaded = ImageFolder(path=str(tmp_path)).load(tmp_path)
    assert loaded.checksum == "sha256:1849cf74bcae9f3e164a9dc34d51282b6587a11ef9c991e7df3d38d1eac48783"
    assert loaded.listing == "listing:7bd86815fcc7bd998b2f5f81574e4ded65400ca88f1b595245205a354515faa8"


def test_the_index_of_a_large_folder_keeps_the_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_index, "MIN_CACHED_IMAGES", 1)
    monkeypatch.setattr(folder_index, "MIN_UNCHANGED_SECONDS", -1e9)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set").mkdir()
    write_png_16(tmp_path / "set" / "a.png", GREY_16)
    first = ImageFolder(path="set").info(tmp_path)
    (kept,) = (tmp_path / "cache").rglob("*.safetensors")
    monkeypatch.setattr(
        folder_index, "read_headers", None
    )  # would be called where the index is not taken from the cache
    assert kept.is_file()
    assert ImageFolder(path="set").info(tmp_path) == first
    assert first.fields["real"].dtype == "uint16"


def test_domains_have_a_depth_each(tmp_path: Path) -> None:
    for letter in "AB":
        (tmp_path / f"train{letter}").mkdir()
    for number in range(2):
        write_png_16(tmp_path / "trainA" / f"{number}.png", GREY_16)
        Image.new("RGBA", (4, 3), (10, 20, 30, 0)).save(tmp_path / "trainB" / f"{number}.png")
    for dataset in (UnpairedFolders, PairedFolders):
        data = dataset(path=str(tmp_path))
        info, tensors = data.info(tmp_path), data.load(tmp_path).tensors
        assert info.fields == {"a": Field((1, 3, 4), "uint16", "domain"), "b": Field((3, 3, 4), "uint8", "domain")}
        assert any("laid on white (channels = 4 keeps it) (b)" in note for note in info.notes)
        assert np.array_equal(tensors["a"][0, 0].numpy(), GREY_16)
        assert (tensors["b"] == 255).all()
    data = UnpairedFolders(path=str(tmp_path), channels=4, depth=8)
    info, tensors = data.info(tmp_path), data.load(tmp_path).tensors
    assert {field.dtype for field in info.fields.values()} == {"uint8"}
    assert tensors["a"][0, :, 2, 3].tolist() == [255] * 4
    assert tensors["b"][0, :, 0, 0].tolist() == [10, 20, 30, 0]
    assert info.details == {"alpha": True}


def test_halves_of_pictures_of_16_bits_are_two_domains(tmp_path: Path) -> None:
    write_png_16(tmp_path / "a.png", np.hstack([GREY_16, GREY_16[::-1]]))
    tensors = PairedFolders(path=str(tmp_path)).load(tmp_path).tensors
    assert np.array_equal(tensors["a"][0, 0].numpy(), GREY_16)
    assert np.array_equal(tensors["b"][0, 0].numpy(), GREY_16[::-1])


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_an_exif_turn_is_made_in_16_bits_too(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.fromarray(GREY_16).save(tmp_path / f"a.{ending}", exif=exif)
    data = ImageFolder(path=str(tmp_path))
    assert data.info(tmp_path).sample_shape == (1, 4, 3)
    assert np.array_equal(only(data, tmp_path)[0].numpy(), np.rot90(GREY_16, -1))
