"""Images of 8 and 16 bits and of any number of channels: to networks and back, as pictures, and in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Images
from torch import Tensor

from ganzoo.core.data import Field
from ganzoo.errors import DatasetError, GanzooError, OptionError
from ganzoo.kinds.image import Image

DTYPES = {"uint8": 256, "uint16": 65536}


def every_value(dtype: str) -> Tensor:
    """All values of a depth, as images (n, 1, 16, 16)."""
    return torch.arange(DTYPES[dtype]).to(getattr(torch, dtype)).view(-1, 1, 16, 16)


def noise(channels: int, dtype: str, n: int = 1) -> Tensor:
    stream = torch.Generator().manual_seed(0)
    return torch.randint(DTYPES[dtype], (n, channels, 6, 5), generator=stream).to(getattr(torch, dtype))


def kind_of(channels: int) -> Image:
    """With two and with four channels the last one is alpha."""
    return Image(alpha=channels in (2, 4))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_value_survives_the_way_to_networks_and_back(dtype: str) -> None:
    stored = every_value(dtype)
    unit = Image().to_unit(stored)
    assert (unit.dtype, unit.min().item(), unit.max().item()) == (torch.float32, -1.0, 1.0)
    assert len(unit.unique()) == DTYPES[dtype]
    back = Image().from_unit(unit, Field((1, 16, 16), dtype))
    assert back.dtype == stored.dtype
    assert torch.equal(back, stored)


def test_floating_point_images_are_what_networks_see() -> None:
    samples = torch.rand(3, 5, 4, 4) * 2 - 1
    kind, field = Image(), Field((5, 4, 4), "float32")
    assert torch.equal(kind.to_unit(samples), samples)
    assert torch.equal(kind.from_unit(samples, field), samples)


def test_generated_images_are_rounded_and_clipped_to_the_depth_of_the_data() -> None:
    samples = torch.tensor([-7.0, -1.0, 0.0, 1e-5, 1.0, 7.0]).view(1, 1, 1, 6)
    for dtype, expected in (("uint8", [0, 0, 128, 128, 255, 255]), ("uint16", [0, 0, 32768, 32768, 65535, 65535])):
        assert Image().from_unit(samples, Field((1, 1, 6), dtype)).flatten().tolist() == expected


def test_images_of_another_depth_are_refused_and_not_misread() -> None:
    with pytest.raises(DatasetError, match="uint8, uint16 or float32, not as int16"):
        Image().to_unit(torch.zeros(1, 1, 4, 4, dtype=torch.int16))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (4, "RGB"), (5, "RGB"), (13, "RGB")])
@pytest.mark.parametrize("alpha", [False, True])
def test_images_of_any_number_of_channels_are_drawn(channels: int, mode: str, alpha: bool) -> None:
    if alpha and channels == 1:
        with pytest.raises(GanzooError, match="no channel 0 to show"):
            Image(alpha=True).picture(torch.zeros(4, 1, 6, 5))
        return
    picture = Image(alpha=alpha).picture(torch.rand(4, channels, 6, 5) * 2 - 1)
    assert picture.size == (2 * 7 + 2, 2 * 8 + 2)
    assert picture.mode == ("L" if channels - alpha < 3 else mode)


def test_a_picture_shows_the_channels_that_are_chosen() -> None:
    samples = torch.linspace(-1, 1, 6).view(1, 6, 1, 1).expand(1, 6, 2, 2)
    assert Image().picture(samples).getpixel((0, 0)) == (0, 51, 102)
    assert Image(shown=(5, 3, 0)).picture(samples).getpixel((0, 0)) == (255, 153, 0)
    assert Image(shown=(4,)).picture(samples).getpixel((0, 0)) == 204
    with pytest.raises(GanzooError, match="no channel 6"):
        Image(shown=(6,)).picture(samples)
    with pytest.raises(OptionError, match="one channel or three"):
        Image(shown=(1, 2))


def test_transparent_images_are_drawn_in_front_of_a_middle_grey() -> None:
    for colour in (-1.0, 1.0):
        sample = torch.tensor([colour, colour, -colour, -1.0]).view(1, 4, 1, 1).expand(1, 4, 2, 2).clone()
        assert Image(alpha=True).picture(sample).getpixel((0, 0)) == (128, 128, 128)
        sample[:, 3] = 0  # half opaque
        half = (191, 191, 64) if colour > 0 else (64, 64, 191)
        assert Image(alpha=True).picture(sample).getpixel((0, 0)) == half
        sample[:, 3] = 1
        opaque = (255, 255, 0) if colour > 0 else (0, 0, 255)
        assert Image(alpha=True).picture(sample).getpixel((0, 0)) == opaque


@pytest.mark.parametrize(
    ("channels", "dtype", "mode"),
    [(1, "uint8", "L"), (2, "uint8", "LA"), (3, "uint8", "RGB"), (4, "uint8", "RGBA"), (1, "uint16", "I;16")],
)
def test_a_png_of_one_image_holds_it_pixel_for_pixel(tmp_path: Path, channels: int, dtype: str, mode: str) -> None:
    kind, stored, field = kind_of(channels), noise(channels, dtype), Field((channels, 6, 5), dtype)
    kind.write(kind.to_unit(stored), tmp_path / "one.png", field)
    with Images.open(tmp_path / "one.png") as file:
        assert (file.mode, file.size) == (mode, (5, 6))
        pixels = np.asarray(file).reshape(6, 5, channels)
    assert np.array_equal(pixels, stored[0].permute(1, 2, 0).numpy())
    assert torch.equal(kind.from_unit(kind.read(tmp_path / "one.png", field), field), stored)


@pytest.mark.parametrize(
    ("channels", "dtype", "n"),
    [(3, "uint16", 1), (4, "uint16", 1), (5, "uint8", 1), (7, "uint16", 1), (1, "float32", 1), (4, "uint8", 2)],
)
def test_a_png_of_what_no_png_can_hold_is_a_picture_of_it(tmp_path: Path, channels: int, dtype: str, n: int) -> None:
    kind = kind_of(channels)
    samples = torch.rand(n, channels, 6, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
    kind.write(samples, tmp_path / "seen.png", Field((channels, 6, 5), dtype))
    with Images.open(tmp_path / "seen.png") as file:
        assert np.array_equal(np.asarray(file), np.asarray(kind.picture(samples)))


def test_a_channel_that_is_no_alpha_makes_nothing_transparent(tmp_path: Path) -> None:
    samples = torch.full((1, 4, 6, 5), -1.0)
    Image().write(samples, tmp_path / "bands.png", Field((4, 6, 5), "uint8"))
    with Images.open(tmp_path / "bands.png") as file:
        assert file.mode == "RGB"


@pytest.mark.parametrize("ending", [".npy", ".npz"])
@pytest.mark.parametrize(
    ("channels", "dtype"), [(1, "uint8"), (1, "uint16"), (3, "uint16"), (4, "uint16"), (7, "uint8")]
)
def test_arrays_hold_every_depth_and_every_channel(tmp_path: Path, ending: str, channels: int, dtype: str) -> None:
    kind, stored, field = kind_of(channels), noise(channels, dtype, 3), Field((channels, 6, 5), dtype)
    kind.write(kind.to_unit(stored), tmp_path / f"many{ending}", field)
    read = kind.read(tmp_path / f"many{ending}", field)
    assert torch.equal(read, kind.to_unit(stored))
    assert torch.equal(kind.from_unit(read, field), stored)


def test_image_files_are_read_in_the_depth_of_the_data(tmp_path: Path) -> None:
    Images.fromarray(np.full((6, 5), 257 * 40, dtype=np.uint16)).save(tmp_path / "deep.png")
    Images.new("L", (5, 6), 40).save(tmp_path / "shallow.png")
    for dtype in ("uint8", "uint16", "float32"):
        for name in ("deep", "shallow"):
            read = Image().read(tmp_path / f"{name}.png", Field((1, 6, 5), dtype))
            assert read.unique().tolist() == pytest.approx([40 / 127.5 - 1], abs=1e-6), (dtype, name)


def test_an_image_file_without_the_datas_channels_is_refused_with_what_has_them(tmp_path: Path) -> None:
    Images.new("RGBA", (5, 6)).save(tmp_path / "a.png")
    for channels in (2, 4, 5):
        with pytest.raises(GanzooError, match=f"does not have the {channels} channels") as caught:
            Image().read(tmp_path / "a.png", Field((channels, 6, 5), "uint8"))
        assert ".npy, .npz" in caught.value.remedy


def test_a_file_of_floating_point_is_refused_with_the_reason(tmp_path: Path) -> None:
    Images.fromarray(np.zeros((6, 5), dtype=np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(GanzooError, match=r"a\.tif: this image cannot be read: its pixels are floating point"):
        Image().read(tmp_path / "a.tif", Field((1, 6, 5), "uint16"))
