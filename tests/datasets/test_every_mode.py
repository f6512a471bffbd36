"""Every mode of Pillow in every file format that it writes is stored by the rule of docs/datasets.md, or refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganzoo.core.data import Field
from ganzoo.datasets.files import IMAGE_ENDINGS
from ganzoo.datasets.image_folder import ImageFolder
from ganzoo.errors import DatasetError, GanzooError
from ganzoo.kinds.image import Image as ImageKind

Image.init()

SIDE = 16
"""Pixels a side: a block of JPEG, of smooth values, which it keeps within a few levels."""

PALETTE = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)

READ = {"PNG": 0, "TIFF": 0, "BMP": 0, "PPM": 0, "GIF": 0, "WEBP": 0, "JPEG": 4, "MPO": 4}
"""Formats that are read -> levels by which their compression may change a value."""

WHITE_UNKNOWN = {("TIFF", "F"), ("TIFF", "I"), ("PPM", "F")}
"""Formats and modes without a value that is known to be white."""

GREY_16 = frozenset(("I;16", "I;16B", "I;16L", "I;16N"))

CHANGED_BY_THE_WRITER = {
    "GIF": frozenset(Image.MODES) - {"1", "L", "P"},
    "WEBP": frozenset(Image.MODES) - {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX"},
}
"""Format -> modes that it has no place for, and which Pillow converts by its own rules when it writes them."""

MUST_BE_WRITABLE = {
    "PNG": {"1", "I;16", "I;16B", "L", "LA", "P", "RGB", "RGBA"},
    "TIFF": {"1", "CMYK", "F", "I", "I;16", "I;16B", "L", "LA", "LAB", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"},
    "PPM": {"1", "F", "I", "I;16", "L", "RGB"},
    "BMP": {"1", "L", "P", "RGB", "RGBA"},
    "JPEG": {"L", "RGB", "CMYK", "YCbCr"},
    "GIF": {"1", "L", "P"},
    "WEBP": {"L", "LA", "RGB", "RGBA"},
}
"""Pairs that the test is worth nothing without."""


def known(mode: str) -> NDArray[Any]:
    """The values of an image of that mode, (SIDE, SIDE, bands), as its pixels have them."""
    down, right = np.mgrid[0:SIDE, 0:SIDE]
    ramps = [8 * down + 7 * right, 240 - 9 * down - 5 * right, 100 + 5 * down - 4 * right, 60 + 6 * right]
    if mode in GREY_16 or mode == "I":
        return np.asarray(down * 4369 - right * (down > 0), dtype=np.int64)[..., None]
    if mode == "F":
        return (ramps[0] / 255 - 0.25).astype(np.float32)[..., None]
    if mode == "1":
        return ((down + right) % 3 == 0).astype(np.int64)[..., None]
    if mode == "LAB":  # lightness of 255 levels, and two signed numbers, all within sRGB
        return np.stack([60 + ramps[0] // 2, down - 8, right - 8], axis=2)
    return np.stack(ramps[: len(Image.getmodebands(mode) * "x")], axis=2)


def image_of(mode: str) -> Image.Image:
    """An image with the `known` values."""
    values = known(mode)
    if mode in GREY_16:
        order = ">u2" if mode == "I;16B" else "<u2"
        return Image.frombytes(mode, (SIDE, SIDE), values.astype(order).tobytes())
    if mode in ("I", "F"):
        return Image.fromarray(values[..., 0].astype(np.int32 if mode == "I" else np.float32))
    if mode == "1":
        return Image.fromarray(values[..., 0].astype(bool))
    image = Image.frombytes(mode, (SIDE, SIDE), values.astype(np.int64).astype(np.uint8).tobytes())
    if mode in ("P", "PA"):
        image.putpalette(PALETTE.tobytes())
    return image


def on_white(colours: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Colours over white, in floating point."""
    return (colours * alpha + 255 * (255 - alpha)) / 255


def lab_to_srgb(values: NDArray[Any]) -> NDArray[Any]:
    """CIE L*a*b* of white D50 -> sRGB, by the formulas of CIE 15 and IEC 61966-2-1, adapted to D65 (Bradford)."""
    lightness, a, b = values[..., 0] * 100 / 255, values[..., 1], values[..., 2]
    y = (lightness + 16) / 116
    powers = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    xyz = np.where(powers > 6 / 29, powers**3, 3 * (6 / 29) ** 2 * (powers - 4 / 29)) * [0.9642, 1.0, 0.8249]
    matrix = [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
    linear = np.clip(xyz @ np.transpose(matrix), 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def ycbcr_to_rgb(values: NDArray[Any]) -> NDArray[Any]:
    """The conversion of JFIF (ITU-R BT.601, full range)."""
    y, blue, red = values[..., 0], values[..., 1] - 128.0, values[..., 2] - 128.0
    return np.stack([y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue], axis=-1).clip(0, 255)


CONVERTED: dict[str, tuple[Callable[[NDArray[Any]], NDArray[Any]], float]] = {
    "1": (lambda v: v * 255, 0),
    "L": (lambda v: v, 0),
    "LA": (lambda v: on_white(v[..., :1], v[..., 1:]), 1),
    "P": (lambda v: PALETTE[v[..., 0]], 0),
    "PA": (lambda v: on_white(PALETTE[v[..., 0]], v[..., 1:]), 1),
    "RGB": (lambda v: v, 0),
    "RGBX": (lambda v: v[..., :3], 0),
    "RGBA": (lambda v: on_white(v[..., :3], v[..., 3:]), 1),
    "CMYK": (lambda v: (255 - v[..., :3]) * (255 - v[..., 3:]) / 255, 1),
    "YCbCr": (ycbcr_to_rgb, 2),
    "LAB": (lab_to_srgb, 2),
}
"""Mode -> the stored values by the documented rule, and the levels by which rounding may change them."""


def writable(form: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Every mode that Pillow writes in a format, and the file."""
    natural = {ending for ending, name in Image.EXTENSION.items() if name == form} & IMAGE_ENDINGS
    ending = ".jpg" if form == "MPO" else min(natural, default=".png")
    options: dict[str, Any] = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "MPO": {"quality": 100, "subsampling": 0},
        "WEBP": {"lossless": True, "exact": True},
    }.get(form, {})
    for mode in Image.MODES:
        path = folder / mode.replace(";", "") / f"a{ending}"
        path.parent.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                image_of(mode).save(path, form, **options)
            except Exception:  # "cannot write mode HSV as PNG", in many forms
                continue
        yield mode, path


@pytest.fixture(autouse=True)
def _endings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's writer of SPIDER files registers the ending of each file, .png, for its own format."""
    monkeypatch.setattr(Image, "EXTENSION", dict(Image.EXTENSION))


@pytest.mark.parametrize("form", sorted(READ))
def test_every_mode_is_stored_by_one_rule_or_refused_by_name(tmp_path: Path, form: str) -> None:
    seen = set()
    for mode, path in writable(form, tmp_path):
        seen.add(mode)
        if (form, mode) in WHITE_UNKNOWN:
            refused(path, "no value is known to be white")
            continue
        grey = mode in ("1", "L", "LA", "I") or mode in GREY_16
        data = ImageFolder(path=str(path.parent), channels=1 if grey else 3)
        field, stored = data.info(tmp_path).fields["real"], data.load(tmp_path).tensors["real"][0]
        read = ImageKind().from_unit(ImageKind().read(path, field), field)[0]
        assert np.array_equal(read.numpy(), stored.numpy()), f"{mode}: sample --input and --like read other values"
        if mode in CHANGED_BY_THE_WRITER.get(form, ()):
            continue
        values = known(mode)
        if mode in GREY_16 or mode == "I":
            expected, tolerance = values, 0.0
            assert field.dtype == "uint16"
        else:
            rule = "RGBX" if mode == "RGBA" and form in ("BMP", "PPM") else mode  # Pillow leaves alpha out of these
            convert, tolerance = CONVERTED[rule]
            expected = convert(values)
        away = np.abs(stored.permute(1, 2, 0).numpy().astype(float) - expected).max()
        assert away <= tolerance + READ[form], f"{mode} in {form}: {away} levels away"
    assert seen >= MUST_BE_WRITABLE.get(form, {"L", "RGB"})


@pytest.mark.parametrize("form", sorted(set(Image.SAVE) - set(READ)))
def test_formats_whose_depth_is_unknown_are_refused_by_name(tmp_path: Path, form: str) -> None:
    for _, path in writable(form, tmp_path):
        refused(path, "none of PNG, JPEG, GIF, BMP, PNM, TIFF and WebP")
        if form in ("AVIF", "JPEG2000", "EPS"):
            refused(path, f"its format is {form}")


def refused(path: Path, why: str) -> None:
    """Asserts that the file is refused with its name, as a data set and as an input of `ganzoo sample`."""
    with pytest.raises(DatasetError) as caught:
        ImageFolder(path=str(path.parent)).info(path.parent)
    assert path.name in str(caught.value)
    assert why in str(caught.value)
    with pytest.raises(GanzooError) as caught_input:
        ImageKind().read(path, Field((1, SIDE, SIDE), "uint8"))
    assert str(path) in str(caught_input.value)
    assert why in str(caught_input.value)
