"""Any folder of images as a data set: sizes and colours are found in the files, or given."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import psutil
import torch
from annotated_types import Interval, Len
from torch import Tensor

from ganzoo.errors import DatasetError, DatasetUnavailable
from ganzoo.interfaces import Dataset, DatasetInfo, Examples

if TYPE_CHECKING:
    from PIL.Image import Image

Split = Literal["train", "test"]
ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))
TEST_SHARE = 10
"""Where a folder has no test/ of its own, every so-manieth image is held out for it."""

NAMED = 5
"""How many broken files a message names."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds: the images of each split with the number of their class, the classes, and files left out."""

    files: dict[Split, tuple[tuple[Path, int], ...]]
    classes: tuple[str, ...]
    others: int
    sizes: Counter[tuple[int, int]]
    modes: Counter[str]
    own_test: bool


class ImageFolder(Dataset):
    """Every image in a folder, decoded into memory as uint8.

    path: the folder, from the current directory or from the data root; subfolders are searched. If the images lie in
        two or more subfolders only, these are the classes. train/ and test/ inside are the splits; without a test/, one
        image in ten is held out.
    size: pixels a side, images being scaled and centre-cropped to a square; by default the most common size in the
        folder; how many images are resized to it is said.
    channels: 1 or 3; by default 3, or 1 where every image is grey.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, Len(1)],
        size: Annotated[int, Interval(ge=4, le=4096)] | None = None,
        channels: Literal[1, 3] | None = None,
    ) -> None:
        self.path = path
        self.size = size
        self.channels = channels
        self._listings: dict[Path, Listing] = {}

    def info(self, root: Path) -> DatasetInfo:
        """From the files' headers; nothing is decoded. Raises: DatasetUnavailable, DatasetError."""
        folder = self.folder(root)
        listing = self.listing(folder)
        height, width = self.shape(listing)
        channels = self.channels or (1 if set(listing.modes) <= {"1", "L", "I;16", "I", "F"} else 3)
        total = sum(listing.sizes.values())
        odd = total - listing.sizes[(height, width)]
        notes = [f"{odd:,} of {total:,} images are resized to {width} x {height}"] if odd else []
        if listing.others:
            notes.append(f"{listing.others:,} files are not images, and left out")
        if not listing.own_test:
            notes.append(f"one image in {TEST_SHARE} is held out for testing")
        return DatasetInfo(
            sample_shape=(channels, height, width),
            size=len(listing.files["train"]),
            classes=listing.classes,
            gives=("image", "label") if listing.classes else ("image",),
            licence="the files' own",
            source=folder.name,
            notes=tuple(notes),
        )

    def load(self, root: Path, split: Split = "train") -> Examples:
        """Decodes a split. Raises: DatasetError, naming the files that are damaged; or where memory would not do."""
        info = self.info(root)
        files = self.listing(self.folder(root)).files[split]
        channels, height, width = info.sample_shape
        needed = len(files) * channels * height * width
        if needed > 0.8 * psutil.virtual_memory().available:
            raise DatasetError(
                f"{self.path}: {len(files):,} images of {width} x {height} take {needed / 2**30:.1f} GiB, and "
                f"{psutil.virtual_memory().available / 2**30:.1f} GiB of memory are free.",
                remedy="Give dataset.size a smaller side.",
            )
        images = torch.empty(len(files), channels, height, width, dtype=torch.uint8)
        broken: list[str] = []

        def decode(number: int) -> None:
            try:
                images[number] = decode_image(files[number][0], channels, height, width)
            except (OSError, ValueError, SyntaxError, MemoryError) as error:
                broken.append(f"{files[number][0]}: {error}")

        with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
            for _ in pool.map(decode, range(len(files))):
                pass
        if broken:
            more = f"\n  ... and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
            raise DatasetError(
                f"{self.path}: {len(broken):,} of {len(files):,} images cannot be read:\n  "
                + "\n  ".join(sorted(broken)[:NAMED])
                + more,
                remedy="Delete or replace them.",
            )
        labels = torch.tensor([label for _, label in files])
        tensors = {"image": images, "label": labels} if info.classes else {"image": images}
        digest = hashlib.sha256(repr(info.sample_shape).encode())
        digest.update(images.numpy().data)
        return Examples(tensors=tensors, checksum=f"sha256:{digest.hexdigest()}", origin=str(self.folder(root)))

    def folder(self, root: Path) -> Path:
        """Where it is. Raises: DatasetUnavailable."""
        given = Path(self.path).expanduser()
        for candidate in (given, root / given):
            if candidate.is_dir():
                return candidate
        raise DatasetUnavailable(
            f"image-folder: there is no folder {self.path}, neither here nor under {root}.",
            remedy="Set dataset.path to a folder of images, or --data-root to the folder that holds it.",
        )

    def listing(self, folder: Path) -> Listing:
        """What the folder holds, looked through once."""
        if folder not in self._listings:
            self._listings[folder] = list_folder(folder)
        return self._listings[folder]

    def shape(self, listing: Listing) -> tuple[int, int]:
        """The height and width that every image gets."""
        if self.size:
            return self.size, self.size
        return max(listing.sizes, key=lambda shape: (listing.sizes[shape], shape))


def list_folder(folder: Path) -> Listing:
    """Looks through a folder once: every image's place, class, size and colours. Raises: DatasetError."""
    from PIL import Image, UnidentifiedImageError

    splits: dict[Split, Path] = {"train": folder / "train", "test": folder / "test"}
    own_test = all(path.is_dir() for path in splits.values())
    tops: dict[Split, Path] = splits if own_test else {"train": folder}
    found = {split: images_in(top) for split, top in tops.items()}
    everything = [path for paths in found.values() for path in paths]
    if not everything:
        raise DatasetError(f"{folder}: there is no image in it.", remedy=f"Endings: {', '.join(sorted(ENDINGS))}.")
    classes = classes_of(found["train"], tops["train"])
    numbers = {name: number for number, name in enumerate(classes)}
    labelled: dict[Split, tuple[tuple[Path, int], ...]] = {"train": (), "test": ()}
    for split, paths in found.items():
        named = [(path, numbers.get(path.relative_to(tops[split]).parts[0], 0)) for path in paths]
        labelled[split] = tuple(named)
    if not own_test:
        whole = labelled["train"]
        labelled["test"] = whole[TEST_SHARE - 1 :: TEST_SHARE]
        labelled["train"] = tuple(item for number, item in enumerate(whole) if number % TEST_SHARE != TEST_SHARE - 1)
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()
    broken = []
    for path in everything:
        try:
            with warnings.catch_warnings(), Image.open(path) as image:
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                sizes[(image.width, image.height) if turned else (image.height, image.width)] += 1
                modes[image.mode] += 1
        except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombWarning) as error:
            broken.append(f"{path}: {error}")
    if broken:
        more = f"\n  ... and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
        raise DatasetError(
            f"{folder}: {len(broken):,} files are not the images that their names say:\n  "
            + "\n  ".join(broken[:NAMED])
            + more,
            remedy="Delete or replace them.",
        )
    others = sum(1 for path in folder.rglob("*") if path.is_file() and path.suffix.lower() not in ENDINGS)
    return Listing(labelled, classes, others, sizes, modes, own_test)


def images_in(top: Path) -> list[Path]:
    """Every image under a folder, in an order that depends on the names alone."""
    return sorted(
        path
        for path in top.rglob("*")
        if path.suffix.lower() in ENDINGS and path.is_file() and not path.name.startswith(".")
    )


def classes_of(paths: Sequence[Path], top: Path) -> tuple[str, ...]:
    """The subfolders' names, if all images lie in two or more of them; else no classes."""
    firsts = {path.relative_to(top).parts for path in paths}
    names = sorted({parts[0] for parts in firsts})
    return tuple(names) if len(names) > 1 and all(len(parts) > 1 for parts in firsts) else ()


def decode_image(path: Path, channels: int, height: int, width: int) -> Tensor:
    """One image as (channels, height, width) uint8: turned as its EXIF says, on white where it is transparent, scaled
    and centre-cropped where its size is another."""
    from PIL import Image, ImageOps

    with Image.open(path) as opened:
        image: Image.Image = ImageOps.exif_transpose(opened)
        image = flatten(image).convert("L" if channels == 1 else "RGB")
        if image.size != (width, height):
            image = ImageOps.fit(image, (width, height), method=Image.Resampling.LANCZOS)
    pixels = np.asarray(image).reshape(height, width, channels)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def flatten(image: Image) -> Image:
    """8 bits a channel, and transparency laid on white."""
    from PIL import Image as Images

    if image.mode in ("I;16", "I", "F"):
        values = np.asarray(image, dtype=np.float64)
        return Images.fromarray((values / max(values.max(), 255.0) * 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        page = Images.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        return page
    return image
