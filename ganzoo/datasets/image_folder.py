"""Any folder of images as a data set; size, channels and depth are read from the files or given as options."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval, Len
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field, Source
from ganzoo.datasets.files import Files, listing_digest
from ganzoo.datasets.folder_index import Headers, index_of
from ganzoo.datasets.image_fields import Channels, Depth, MaxPixels, image_field, kind_details, storage_format
from ganzoo.datasets.image_files import HELD_OUT_EVERY, Split, check_memory, decode_all, find_folder, no_images_error
from ganzoo.datasets.image_opening import MAX_PIXELS

Side = Annotated[int, Interval(ge=4, le=4096)]


@dataclass(frozen=True, slots=True)
class Listing:
    """The contents of a folder.

    files: the images of each split; labels: (n,) the index of each one's class; classes: their names; others: the
    number of files that are not images; headers: statistics of all images; has_test_split: whether the folder has test
    images of its own.
    """

    files: dict[Split, Files]
    labels: dict[Split, Tensor]
    classes: tuple[str, ...]
    others: int
    headers: Headers
    has_test_split: bool


class ImageFolder(Dataset):
    """Every image in a folder, decoded into memory, or batch by batch where they do not fit.

    path: the folder, from the current directory or from the data root; subfolders are searched. If all images lie in
        two or more subfolders, these are the classes. train/ and test/ inside are the splits; without a test/, one
        image in ten is held out.
    size: pixels a side, or [height, width]; images are scaled and centre-cropped to it. By default it is the most
        common size in the folder. How many images are resized is reported.
    channels: 1 (grey), 2 (grey and alpha), 3 (colours) or 4 (colours and alpha); by default 3, or 1 where every image
        is grey. Without an alpha channel, images are composited on white.
    depth: 8 or 16 bits a channel; by default 16 where every image is grey with 16 bits, else 8. White stays white: 16
        bits are divided by 257 for 8, and 8 bits multiplied by 257 for 16. Colour images are read with 8 bits, even
        where a file has 16.
    max_pixels: the most pixels of one file. Larger ones are refused by name before they are decoded: a file of some
        kilobytes can claim to hold gigabytes.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, Len(1)],
        size: Side | tuple[Side, Side] | None = None,
        channels: Channels | None = None,
        depth: Depth | None = None,
        max_pixels: MaxPixels = MAX_PIXELS,
    ) -> None:
        self.path = path
        self.size = size
        self.channels = channels
        self.depth = depth
        self.max_pixels = max_pixels
        self._listings: dict[Path, Listing] = {}

    def info(self, root: Path) -> DatasetInfo:
        """From the files' headers; nothing is decoded. Raises: DatasetUnavailable, DatasetError."""
        folder = self.folder(root)
        listing = self.listing(folder)
        height, width = self.shape(listing)
        field = image_field(listing.headers, height, width, self.channels, self.depth)
        notes = [*listing.headers.resize_notes(height, width), *listing.headers.conversion_notes(field)]
        if listing.others:
            notes.append(f"{listing.others:,} files are not images, and left out")
        if not listing.has_test_split:
            notes.append(f"one image in {HELD_OUT_EVERY} is held out for testing")
        return DatasetInfo(
            fields={
                "real": field,
                **({"label": Field.label(listing.classes)} if listing.classes else {}),
            },
            size=len(listing.files["train"]),
            details=kind_details(field),
            licence="the files' own",
            source=folder.name,
            notes=tuple(notes),
        )

    def load(self, root: Path, split: Split = "train") -> Examples:
        """Decodes a split. Raises: DatasetError, naming damaged files, or where it does not fit into memory."""
        source = self.stream(root, split)
        check_memory(source.files, source.field, self.path)
        everything = range(len(source.files))
        tensors = {key: source.fetch(key, everything) for key in source.sizes}
        digest = hashlib.sha256(repr(storage_format(source.field)).encode())
        digest.update(tensors["real"].numpy().data)
        return Examples(
            tensors=tensors,
            checksum=f"sha256:{digest.hexdigest()}",
            origin=source.origin,
            listing=source.checksum,
        )

    def stream(self, root: Path, split: Split = "train") -> FolderSource:
        """A split whose images are decoded batch by batch. Raises: DatasetError."""
        info, folder = self.info(root), self.folder(root)
        listing = self.listing(folder)
        labels = listing.labels[split] if info.classes else None
        return FolderSource(listing.files[split], info.fields["real"], labels, str(folder), self.path)

    def folder(self, root: Path) -> Path:
        """The path of the folder. Raises: DatasetUnavailable."""
        return find_folder(self.path, root, "image-folder")

    def listing(self, folder: Path) -> Listing:
        """The contents of the folder, which is scanned once."""
        if folder not in self._listings:
            self._listings[folder] = list_folder(folder, self.max_pixels)
        return self._listings[folder]

    def shape(self, listing: Listing) -> tuple[int, int]:
        """The height and width that every image gets."""
        if isinstance(self.size, int):
            return self.size, self.size
        return self.size or listing.headers.size


class FolderSource(Source):
    """A split of a folder: every image is decoded when it is fetched.

    field: how images are stored; labels: (n,), None where there are no classes; origin: as in Examples; name: of the
        folder, for messages.
    """

    def __init__(self, files: Files, field: Field, labels: Tensor | None, origin: str, name: str) -> None:
        self.files = files
        self.field = field
        self.labels = labels
        self.origin = origin
        self.name = name
        self.checksum = listing_digest(storage_format(field), [files])
        self.sizes = dict.fromkeys(("real", "label") if labels is not None else ("real",), len(files))

    def fetch(self, key: str, rows: Sequence[int]) -> Tensor:
        """As in `Source`. Raises: DatasetError, naming the files that are damaged."""
        chosen = np.asarray(rows, dtype=np.int64)
        if key == "label" and self.labels is not None:
            return self.labels[torch.from_numpy(chosen)]
        return decode_all(self.files.take(chosen), self.field, self.name)


def list_folder(folder: Path, max_pixels: int = MAX_PIXELS) -> Listing:
    """Scans a folder for every image's path, class, size and pixel mode. Raises: DatasetError."""
    splits: dict[Split, Path] = {"train": folder / "train", "test": folder / "test"}
    has_test_split = all(path.is_dir() for path in splits.values())
    folders = list(splits.values()) if has_test_split else [folder]
    indices = [index_of(path, max_pixels) for path in folders]
    if not all(len(index.files) for index in indices):
        raise no_images_error(folder)
    whole = indices[0].files
    used = {whole.folders[number].split("/")[0] for number in np.unique(whole.folder)}
    classes = tuple(sorted(used)) if len(used) > 1 and "" not in used else ()
    numbers = {name: number for number, name in enumerate(classes)}

    def labels_of(files: Files) -> Tensor:
        of_folder = [numbers.get(path.split("/")[0], 0) for path in files.folders]
        return torch.from_numpy(np.array(of_folder, dtype=np.int64)[files.folder])

    if has_test_split:
        files: dict[Split, Files] = {"train": whole, "test": indices[1].files}
    else:
        held_out = np.arange(len(whole)) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
        files = {"train": whole.take(~held_out), "test": whole.take(held_out)}
    labels = {split: labels_of(of_split) for split, of_split in files.items()}
    headers = sum((index.headers() for index in indices[1:]), start=indices[0].headers())
    return Listing(files, labels, classes, sum(index.others for index in indices), headers, has_test_split)
