"""Any folder of images as a data set; size, channels and depth are read from the files or given as options."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Interval, Len
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field, Source
from ganzoo.datasets.files import Files, listing_digest
from ganzoo.datasets.folder_classes import ClassesSetting, ClassFolders, find_classes, unlabelled_test_error
from ganzoo.datasets.folder_index import Headers, index_of
from ganzoo.datasets.folder_splits import WHOLE, Splits, find_splits
from ganzoo.datasets.image_fields import Channels, Depth, MaxPixels, image_field, kind_details, storage_format
from ganzoo.datasets.image_files import HELD_OUT_EVERY, Split, check_memory, decode_all, find_folder, no_images_error
from ganzoo.datasets.image_opening import MAX_PIXELS
from ganzoo.datasets.left_out import LeftOut, displayed

Side = Annotated[int, Interval(ge=4, le=4096)]

MAX_CLASSES_SHOWN = 6
"""The most classes whose number of images is said at the start; run.json has all."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder was read as.

    files: the images of each split; labels: (n,) the index of each one's class, None where there are no classes;
    classes: the class folders; splits: where the splits are; left_out: what is not read; headers: statistics of all
    images.
    """

    files: dict[Split, Files]
    labels: dict[Split, Tensor | None]
    classes: ClassFolders
    splits: Splits
    left_out: LeftOut
    headers: Headers

    def facts(self) -> dict[str, Any]:
        """The same as JSON: each split's folder, number of images, and number of each class; what was left out."""
        folders: dict[Split, str | None] = {"train": self.splits.train or WHOLE, "test": self.splits.test}
        splits: dict[str, dict[str, Any]] = {
            split: {"folder": folder and displayed(folder), "images": len(self.files[split])} | self.counts(split)
            for split, folder in folders.items()
        }
        if self.splits.test is None:
            splits["test"]["held_out"] = f"one image in {HELD_OUT_EVERY} of {displayed(self.splits.train or WHOLE)}"
        return {
            "splits": splits,
            "classes": "folders" if self.classes.names else "none",
            **({"why_none": self.classes.why} if self.classes.why else {}),
            "left_out": self.left_out.facts(),
        }

    def counts(self, split: Split) -> dict[str, Any]:
        """The number of images of each class, by its name, under the key "classes"; nothing where there are none."""
        labels, names = self.labels[split], self.classes.names
        if labels is None:
            return {}
        return {"classes": dict(zip(names, torch.bincount(labels, minlength=len(names)).tolist(), strict=True))}

    def notes(self) -> Iterator[str]:
        """What a person should know of it, in a few lines."""
        if counts := self.counts("train").get("classes"):
            some = [f"{name} {count:,}" for name, count in counts.items()][:MAX_CLASSES_SHOWN]
            more = f" and {len(counts) - len(some):,} more" if len(counts) > len(some) else ""
            yield f"{len(counts):,} class{'es' * (len(counts) > 1)}: {', '.join(some)}{more}"
        elif self.classes.why:
            yield f"no classes: {self.classes.why}"
        if self.splits.test is not None:
            yield f"test split: {displayed(self.splits.test)}, {len(self.files['test']):,} images"
        yield from self.left_out.notes()
        if self.splits.test is None:
            yield f"one image in {HELD_OUT_EVERY} is held out for testing"


class ImageFolder(Dataset):
    """Every image in a folder, decoded into memory, or batch by batch where they do not fit.

    path: the folder, from the current directory or from the data root; subfolders are searched, links included. Hidden
        folders, folders of tools (__MACOSX, @eaDir) and ganzoo's own runs are left out.
    classes: "folders": the subfolders of the training split are the classes; "none": there are none. By default they
        are where all images lie in two or more of them. A class that only the test split has is left out.
    train: the folder inside that holds the training split, or "." for the folder itself. By default train/ or
        training/, in any letter case, where test images lie beside it or nothing does.
    test: the folder inside that holds the test split, or "held-out" for one training image in ten. By default test/ or
        testing/, else val/, valid/ or validation/, else one training image in ten is held out.
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
        classes: ClassesSetting | None = None,
        train: Annotated[str, Len(1)] | None = None,
        test: Annotated[str, Len(1)] | None = None,
        size: Side | tuple[Side, Side] | None = None,
        channels: Channels | None = None,
        depth: Depth | None = None,
        max_pixels: MaxPixels = MAX_PIXELS,
    ) -> None:
        self.path = path
        self.classes: ClassesSetting | None = classes
        self.train = train
        self.test = test
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
        notes = [
            *listing.headers.resize_notes(height, width),
            *listing.headers.conversion_notes(field),
            *listing.notes(),
        ]
        return DatasetInfo(
            fields={
                "real": field,
                **({"label": Field.label(listing.classes.names)} if listing.classes.names else {}),
            },
            size=len(listing.files["train"]),
            details=kind_details(field),
            licence="the files' own",
            source=displayed(folder.name),
            notes=tuple(notes),
            layout=listing.facts(),
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
        labels = listing.labels[split]
        return FolderSource(listing.files[split], info.fields["real"], labels, displayed(folder), self.path)

    def folder(self, root: Path) -> Path:
        """The path of the folder. Raises: DatasetUnavailable."""
        return find_folder(self.path, root, "image-folder")

    def listing(self, folder: Path) -> Listing:
        """The contents of the folder, which is scanned once."""
        if folder not in self._listings:
            self._listings[folder] = list_folder(folder, self.classes, self.train, self.test, self.max_pixels)
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


def list_folder(
    folder: Path,
    classes: ClassesSetting | None = None,
    train: str | None = None,
    test: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Listing:
    """Scans a folder for every image's path, class, size and pixel mode. Options: those of `ImageFolder`.

    Raises: DatasetError.
    """
    splits = find_splits(folder, train, test)
    # Where all images lie in train/, files are listed from the folder above, as they were by runs of earlier versions.
    prefix = splits.train if splits.test is None and splits.alone else ""
    whole = index_of(folder if prefix else folder / splits.train, max_pixels)
    left_out = whole.left_out if prefix else splits.left_out + whole.left_out.below(splits.train)
    if splits.test_in_train:
        whole = whole.take(~whole.files.below(splits.test_in_train))
    if not len(whole.files):
        raise no_images_error(folder / splits.train)
    found = find_classes(whole.files, prefix, classes, place=folder / splits.train, test=splits.test_in_train)
    whole, left_out = whole.take(found.read), left_out + found.left_out
    headers = whole.headers()
    if splits.test is None:
        held_out = np.arange(len(whole.files)) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
        files: dict[Split, Files] = {"train": whole.files.take(~held_out), "test": whole.files.take(held_out)}
        labels = {split: found.labels(of_split, prefix) for split, of_split in files.items()}
        return Listing(files, labels, found, splits, left_out, headers)
    tested = index_of(folder / splits.test, max_pixels)
    if not len(tested.files):
        raise no_images_error(folder / splits.test)
    known, unknown = found.of_test(tested.files)
    if not known.any():
        raise unlabelled_test_error(folder, splits.test)
    left_out = left_out + (tested.left_out + unknown).below(splits.test)
    tested = tested.take(known)
    files = {"train": whole.files, "test": tested.files}
    labels = {split: found.labels(of_split) for split, of_split in files.items()}
    return Listing(files, labels, found, splits, left_out, headers + tested.headers())
