"""A folder of images at a glance: every file's place, size and header, in little memory, and kept where that took long.

A million files are some fifty megabytes here, which worker processes share. Of a folder of LARGE images or more the
index is kept in ganzoo's cache, never beside the data, and believed as long as no folder in it has changed: files that
come, go or get another name change the time of their folder; one that is overwritten in place does not.
"""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from ganzoo.core.data import Field
from ganzoo.datasets.atomic import replace_file
from ganzoo.datasets.cache import read_cached
from ganzoo.datasets.digest import digest_of
from ganzoo.datasets.files import Files, broken_files, list_files, named
from ganzoo.datasets.image_decoding import NO_WHITE
from ganzoo.datasets.image_modes import bits_of, is_grey, is_transparent, loses_bits, pixel_mode
from ganzoo.datasets.root import cache
from ganzoo.errors import DatasetError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

VERSION = 2
"""Rises whenever what is kept changes, so that old caches are not taken for new ones."""

LARGE = 10_000
"""Images from which on an index is kept: fewer are looked at in a second."""

SETTLED = 2.0
"""Seconds that a folder has lain still before its index is kept: times of folders are no finer than that everywhere."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What the headers of many images say: how often each size (height, width), upright, and each pixel mode occurs."""

    sizes: Counter[tuple[int, int]]
    modes: Counter[str]

    @property
    def size(self) -> tuple[int, int]:
        """The most common size; of several, the largest."""
        return max(self.sizes, key=lambda size: (self.sizes[size], size))

    @property
    def channels(self) -> int:
        """3, or 1 where every image is grey."""
        return 1 if all(map(is_grey, self.modes)) else 3

    @property
    def dtype(self) -> str:
        """ "uint16" where every image is of 16 bits, else "uint8"."""
        return "uint16" if self.modes and all(bits_of(mode) == 16 for mode in self.modes) else "uint8"

    def converted(self, field: Field) -> list[str]:
        """Notes on a depth of 16 bits, and on how many images are stored with less, or other, than their files hold."""
        deep = self.count(lambda mode: bits_of(mode) == 16)
        alpha = 0 if field.shape[0] in (2, 4) else self.count(is_transparent)
        keeping = 4 if field.shape[0] == 3 else 2
        said = {
            f"have transparency, which is laid on white (channels = {keeping} keeps it)": alpha,
            "of 16 bits are scaled to 8": deep if field.dtype == "uint8" else 0,
            "of 8 bits are scaled to 16": self.total - deep if field.dtype == "uint16" else 0,
            "of 16 bits a channel in colour are read in 8": self.count(loses_bits),
        }
        notes = [f"{count:,} of {self.total:,} images {what}" for what, count in said.items() if count]
        return ["16 bits a channel", *notes] if field.dtype == "uint16" else notes

    @property
    def total(self) -> int:
        """How many images there are."""
        return sum(self.modes.values())

    def count(self, which: Callable[[str], bool]) -> int:
        """How many images have such a mode."""
        return sum(count for mode, count in self.modes.items() if which(mode))

    def resized(self, height: int, width: int) -> list[str]:
        """A note on how many images have another size than that, if any."""
        odd = self.total - self.sizes[(height, width)]
        return [f"{odd:,} of {self.total:,} images are resized to {width} x {height}"] if odd else []

    def __add__(self, other: Headers) -> Headers:
        """Of the images of both."""
        return Headers(self.sizes + other.sizes, self.modes + other.modes)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The images under a folder, in an order that depends on their names alone, and how many files are none.

    heights, widths: (n,) upright; mode: (n,) which of `modes` each has, as `pixel_mode` says them.
    """

    files: Files
    heights: NDArray[np.int32]
    widths: NDArray[np.int32]
    mode: NDArray[np.int32]
    modes: Sequence[str]
    others: int

    def headers(self) -> Headers:
        """What the headers say."""
        sizes, counts = np.unique(np.stack([self.heights, self.widths]), axis=1, return_counts=True)
        of_size = {(h, w): n for h, w, n in zip(*sizes.tolist(), counts.tolist(), strict=True)}
        of_mode = dict(zip(self.modes, np.bincount(self.mode, minlength=len(self.modes)).tolist(), strict=True))
        return Headers(Counter(of_size), +Counter(of_mode))


def index_of(top: Path) -> Index:
    """The images under a folder. Raises: DatasetError, naming the files that are no images."""
    place = cache() / f"folders/v{VERSION}-{hashlib.sha256(os.fsencode(top.resolve())).hexdigest()[:16]}.safetensors"
    kept = read_cached(place)
    if kept is not None and is_fresh(kept, top):
        return unpacked(kept, top)
    began = time.time_ns()
    files, others, changed = list_files(top)
    index = look_at(files, others)
    if len(files) >= LARGE and max(changed) < began - SETTLED * 1e9:
        place.parent.mkdir(parents=True, exist_ok=True)
        tensors = packed(index, changed)
        replace_file(place, save(tensors, metadata={"digest": digest_of(tensors)}))
    return index


def look_at(files: Files, others: int = 0) -> Index:
    """Reads headers only. Raises: DatasetError, naming the files that are no images, or whose depth is unknown."""
    from PIL import Image, UnidentifiedImageError

    heights, widths, mode = array("i"), array("i"), array("i")
    modes: dict[str, int] = {}
    broken, unbounded = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for path in (files[number] for number in range(len(files))):
            try:
                with Image.open(path) as image:
                    # A PNG that says nothing about it in its header would be decoded for that.
                    silent = image.format == "PNG" and "exif" not in image.info
                    turned = not silent and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                    width, height = reversed(file_size(image)) if turned else file_size(image)
                    pixels = pixel_mode(image)
            except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombWarning) as error:
                broken.append(f"{path}: {error}")
                continue
            if not bits_of(pixels):
                unbounded.append(f"{path}: {NO_WHITE}")
            heights.append(height)
            widths.append(width)
            mode.append(modes.setdefault(pixels, len(modes)))
    if broken:
        raise broken_files(f"{files.top}: {len(broken):,} files are not the images that their names say", broken)
    if unbounded:
        raise DatasetError(
            named(f"{files.top}: {len(unbounded):,} images cannot be brought to 8 or 16 bits", unbounded),
            remedy="Scale them to 0 to 65,535 and save them as PNG or TIFF files of 16 bits.",
        )
    arrays = [np.frombuffer(values, np.int32) for values in (heights, widths, mode)]
    return Index(files, arrays[0], arrays[1], arrays[2], tuple(modes), others)


def file_size(image: ImageFile) -> tuple[int, int]:
    """Width and height of an image as the file has them; newer Pillows turn those of a TIFF as its EXIF says."""
    if image.format == "TIFF":
        return image.tag_v2[256], image.tag_v2[257]  # type: ignore[attr-defined]
    return image.size


def packed(index: Index, changed: array[int]) -> dict[str, Tensor]:
    """An index as tensors. changed: when each of its folders did."""
    files = index.files
    arrays = {
        "folders": text(files.folders),
        **{name: getattr(files, name) for name in ("folder", "names", "starts", "lengths", "sizes")},
        **{name: getattr(index, name) for name in ("heights", "widths", "mode")},
        "modes": text(index.modes),
        "others": np.array([index.others]),
        "changed": np.frombuffer(changed, np.int64),
    }
    return {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}


def unpacked(tensors: Mapping[str, Tensor], top: Path) -> Index:
    """The inverse of `packed`."""
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    of_files = {name: arrays[name] for name in ("folder", "names", "starts", "lengths", "sizes")}
    of_index = {name: arrays[name] for name in ("heights", "widths", "mode")}
    files = Files(top, words(arrays["folders"]), **of_files)
    return Index(files, **of_index, modes=words(arrays["modes"]), others=int(arrays["others"][0]))


def is_fresh(kept: Mapping[str, Tensor], top: Path) -> bool:
    """Whether no folder has changed since."""
    try:
        now = [(top / folder).stat().st_mtime_ns for folder in words(kept["folders"].numpy())]
    except OSError:
        return False
    return now == kept["changed"].tolist()


def text(several: Sequence[str]) -> NDArray[np.uint8]:
    """Names, none of which can hold a zero byte, as bytes."""
    return np.frombuffer("\0".join(several).encode(errors="surrogateescape"), np.uint8)


def words(values: NDArray[np.uint8]) -> Sequence[str]:
    """The inverse of `text`."""
    return tuple(values.tobytes().decode(errors="surrogateescape").split("\0"))
