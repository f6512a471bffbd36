"""Any folder of images as a data set: sizes and colours are found in the files, or given."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from annotated_types import Interval, Len

from ganzoo.datasets.image_files import (
    ENDINGS,
    TEST_SHARE,
    Headers,
    Split,
    decode_all,
    find_folder,
    images_in,
    look_at,
    no_image,
)
from ganzoo.interfaces import Dataset, DatasetInfo, Examples


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds: the images of each split with the number of their class, the classes, and files left out."""

    files: dict[Split, tuple[tuple[Path, int], ...]]
    classes: tuple[str, ...]
    others: int
    headers: Headers
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
        channels = self.channels or listing.headers.channels
        notes = listing.headers.resized(height, width)
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
        images = decode_all([path for path, _ in files], info.sample_shape, self.path)
        labels = torch.tensor([label for _, label in files])
        tensors = {"image": images, "label": labels} if info.classes else {"image": images}
        digest = hashlib.sha256(repr(info.sample_shape).encode())
        digest.update(images.numpy().data)
        return Examples(tensors=tensors, checksum=f"sha256:{digest.hexdigest()}", origin=str(self.folder(root)))

    def folder(self, root: Path) -> Path:
        """Where it is. Raises: DatasetUnavailable."""
        return find_folder(self.path, root, "image-folder")

    def listing(self, folder: Path) -> Listing:
        """What the folder holds, looked through once."""
        if folder not in self._listings:
            self._listings[folder] = list_folder(folder)
        return self._listings[folder]

    def shape(self, listing: Listing) -> tuple[int, int]:
        """The height and width that every image gets."""
        if self.size:
            return self.size, self.size
        return listing.headers.size


def list_folder(folder: Path) -> Listing:
    """Looks through a folder once: every image's place, class, size and colours. Raises: DatasetError."""
    splits: dict[Split, Path] = {"train": folder / "train", "test": folder / "test"}
    own_test = all(path.is_dir() for path in splits.values())
    tops: dict[Split, Path] = splits if own_test else {"train": folder}
    found = {split: images_in(top) for split, top in tops.items()}
    everything = [path for paths in found.values() for path in paths]
    if not everything:
        raise no_image(folder)
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
    headers = look_at(everything, folder)
    others = sum(1 for path in folder.rglob("*") if path.is_file() and path.suffix.lower() not in ENDINGS)
    return Listing(labelled, classes, others, headers, own_test)


def classes_of(paths: Sequence[Path], top: Path) -> tuple[str, ...]:
    """The subfolders' names, if all images lie in two or more of them; else no classes."""
    firsts = {path.relative_to(top).parts for path in paths}
    names = sorted({parts[0] for parts in firsts})
    return tuple(names) if len(names) > 1 and all(len(parts) > 1 for parts in firsts) else ()
