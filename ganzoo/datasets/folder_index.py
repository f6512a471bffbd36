"""An index of a folder of images: every file's path, size in pixels and pixel mode, in little memory, and cached.

A million files take some fifty megabytes, which worker processes share. The index of a folder with MIN_CACHED_IMAGES
images or more is stored in ganzoo's cache, never next to the data, and is valid as long as the modification time of no
folder in it has changed. Adding, removing or renaming a file changes that time; overwriting one in place does not.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.core.data import Field
from ganzoo.datasets.cache import read_cached, store
from ganzoo.datasets.files import Files, damaged_files_error, list_message
from ganzoo.datasets.folder_scan import list_files
from ganzoo.datasets.image_decoding import UNKNOWN_WHITE_LEVEL
from ganzoo.datasets.image_modes import bits_of, header_mode, is_grey
from ganzoo.datasets.image_notes import conversion_notes
from ganzoo.datasets.image_opening import MAX_PIXELS, damage, open_image
from ganzoo.datasets.left_out import LeftOut, displayed
from ganzoo.datasets.root import cache_folder
from ganzoo.errors import DatasetError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

VERSION = 4
"""Increases whenever the stored format changes, so that old caches are not used."""

ANY_PIXELS = 2**62
"""No limit: headers are read of any image, and the index is compared with the data set's limit."""

MIN_CACHED_IMAGES = 10_000
"""The fewest images whose index is cached: fewer are scanned within a second."""

MIN_UNCHANGED_SECONDS = 2.0
"""Seconds since a folder's last change before its index is cached: the resolution of modification times on some file
systems."""


@dataclass(frozen=True, slots=True)
class Headers:
    """Statistics of many images' headers: how often each upright size (height, width) and each pixel mode occurs."""

    sizes: Counter[tuple[int, int]]
    modes: Counter[str]

    @property
    def size(self) -> tuple[int, int]:
        """The most common size; among equally common ones, the largest."""
        return max(self.sizes, key=lambda size: (self.sizes[size], size))

    @property
    def channels(self) -> int:
        """3, or 1 where every image is grey."""
        return 1 if all(map(is_grey, self.modes)) else 3

    @property
    def dtype(self) -> str:
        """ "uint16" where every image has 16 bits, else "uint8"."""
        return "uint16" if self.modes and all(bits_of(mode) == 16 for mode in self.modes) else "uint8"

    def conversion_notes(self, field: Field) -> list[str]:
        """Notes on a depth of 16 bits, and on what storing the images changes."""
        notes = conversion_notes(self.modes, field)
        return ["16 bits a channel", *notes] if field.dtype == "uint16" else notes

    @property
    def total(self) -> int:
        """The number of images."""
        return sum(self.modes.values())

    def resize_notes(self, height: int, width: int) -> list[str]:
        """A note on how many images have a different size, if any."""
        odd = self.total - self.sizes[(height, width)]
        return [f"{odd:,} of {self.total:,} images are resized to {width} x {height}"] if odd else []

    def __add__(self, other: Headers) -> Headers:
        """The statistics of both sets of images together."""
        return Headers(self.sizes + other.sizes, self.modes + other.modes)


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The images under a folder, in an order that depends on their names only.

    heights, widths: (n,) upright; mode: (n,) each image's index in `modes`, which are named as by `header_mode`;
    left_out: what else lies there, and is not read.
    """

    files: Files
    heights: NDArray[np.int32]
    widths: NDArray[np.int32]
    mode: NDArray[np.int32]
    modes: Sequence[str]
    left_out: LeftOut

    def take(self, rows: Any) -> Index:
        """A selection of the images. rows: an index as numpy takes it."""
        chosen = {name: getattr(self, name)[rows] for name in ("heights", "widths", "mode")}
        return replace(self, files=self.files.take(rows), **chosen)

    def headers(self) -> Headers:
        """The statistics of the headers."""
        sizes, counts = np.unique(np.stack([self.heights, self.widths]), axis=1, return_counts=True)
        of_size = {(h, w): n for h, w, n in zip(*sizes.tolist(), counts.tolist(), strict=True)}
        of_mode = dict(zip(self.modes, np.bincount(self.mode, minlength=len(self.modes)).tolist(), strict=True))
        return Headers(Counter(of_size), +Counter(of_mode))


def index_of(top: Path, max_pixels: int = MAX_PIXELS) -> Index:
    """The index of a folder, cached or read from its files.

    max_pixels: the most that an image may have. Raises: DatasetError, naming files that are not images, or too large.
    """
    index = cached_index(top)
    refuse_large_images(index, max_pixels)
    return replace(index, files=replace(index.files, max_pixels=max_pixels))


def refuse_large_images(index: Index, max_pixels: int) -> None:
    """Raises: DatasetError, naming the images that have more pixels than `max_pixels`, and the option."""
    pixels = index.heights.astype(np.int64) * index.widths
    large = np.flatnonzero(pixels > max_pixels)
    if not len(large):
        return
    sizes = [f"{index.files[k]}: {index.widths[k]:,} x {index.heights[k]:,}" for k in large.tolist()]
    raise DatasetError(
        list_message(f"{index.files.top}: {len(large):,} images have more than {max_pixels:,} pixels", sizes),
        remedy=f"If they are what they should be, give the recipe [dataset] max_pixels = {int(pixels.max())}.",
    )


def cached_index(top: Path) -> Index:
    """The index of a folder, cached or read from its files. Raises: DatasetError, naming files that are not images."""
    place = (
        cache_folder() / f"folders/v{VERSION}-{hashlib.sha256(os.fsencode(top.resolve())).hexdigest()[:16]}.safetensors"
    )
    kept = read_cached(place)
    if kept is not None and is_fresh(kept, top):
        return unpack_index(kept, top)
    began = time.time_ns()
    files, left_out, changed = list_files(top)
    index = read_headers(files, left_out)
    if len(files) >= MIN_CACHED_IMAGES and max(changed) < began - MIN_UNCHANGED_SECONDS * 1e9:
        store(place, pack_index(index, changed))
    return index


def read_headers(files: Files, left_out: LeftOut) -> Index:
    """Reads the headers. Raises: DatasetError, naming files that are not images, or whose white level is unknown."""
    heights, widths, mode = array("i"), array("i"), array("i")
    modes: dict[str, int] = {}
    damaged, unsupported = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of metadata that are not used
        for path in (files[number] for number in range(len(files))):
            try:
                with open_image(path, ANY_PIXELS) as image:
                    # Pillow decodes a PNG to look for EXIF data, unless its header has them.
                    no_exif = image.format == "PNG" and "exif" not in image.info
                    rotated = not no_exif and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                    width, height = reversed(file_size(image)) if rotated else file_size(image)
                    pixels = header_mode(image)
            except Exception as error:  # a decoder raises anything at damaged bytes
                damaged.append(displayed(f"{path}: {damage(error)}"))
                continue
            if not bits_of(pixels):
                unsupported.append(displayed(f"{path}: {UNKNOWN_WHITE_LEVEL}"))
            heights.append(height)
            widths.append(width)
            mode.append(modes.setdefault(pixels, len(modes)))
    if damaged:
        raise damaged_files_error(
            f"{displayed(files.top)}: {len(damaged):,} files are not the images that their names say", damaged
        )
    if unsupported:
        raise DatasetError(
            list_message(
                f"{displayed(files.top)}: {len(unsupported):,} images cannot be brought to 8 or 16 bits",
                unsupported,
            ),
            remedy="Scale them to 0 to 65,535 and save them as PNG or TIFF files of 16 bits.",
        )
    arrays = [np.frombuffer(values, np.int32) for values in (heights, widths, mode)]
    return Index(files, arrays[0], arrays[1], arrays[2], tuple(modes), left_out)


def file_size(image: ImageFile) -> tuple[int, int]:
    """Width and height as stored in the file; newer versions of Pillow swap those of a TIFF to match its EXIF data."""
    if image.format == "TIFF":
        return image.tag_v2[256], image.tag_v2[257]  # type: ignore[attr-defined]
    return image.size


def pack_index(index: Index, changed: array[int]) -> dict[str, Tensor]:
    """An index as tensors. changed: the modification time of each folder (ns)."""
    files = index.files
    arrays = {
        "folders": encode_names(files.folders),
        **{name: getattr(files, name) for name in ("folder", "names", "starts", "lengths", "sizes")},
        **{name: getattr(index, name) for name in ("heights", "widths", "mode")},
        "modes": encode_names(index.modes),
        "left_out": np.frombuffer(json.dumps(index.left_out.facts()).encode(), np.uint8),
        "changed": np.frombuffer(changed, np.int64),
    }
    return {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}


def unpack_index(tensors: Mapping[str, Tensor], top: Path) -> Index:
    """The inverse of `pack_index`."""
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    of_files: dict[str, Any] = {name: arrays[name] for name in ("folder", "names", "starts", "lengths", "sizes")}
    of_index = {name: arrays[name] for name in ("heights", "widths", "mode")}
    files = Files(top, decode_names(arrays["folders"]), **of_files)
    left_out = LeftOut.from_facts(json.loads(arrays["left_out"].tobytes()))
    return Index(files, **of_index, modes=decode_names(arrays["modes"]), left_out=left_out)


def is_fresh(kept: Mapping[str, Tensor], top: Path) -> bool:
    """Whether no folder has changed since the index was stored."""
    try:
        now = [(top / folder).stat().st_mtime_ns for folder in decode_names(kept["folders"].numpy())]
    except OSError:
        return False
    return now == kept["changed"].tolist()


def encode_names(several: Sequence[str]) -> NDArray[np.uint8]:
    """Names as bytes, separated by zero bytes, which no name contains."""
    return np.frombuffer("\0".join(several).encode(errors="surrogateescape"), np.uint8)


def decode_names(values: NDArray[np.uint8]) -> Sequence[str]:
    """The inverse of `encode_names`."""
    return tuple(values.tobytes().decode(errors="surrogateescape").split("\0"))
