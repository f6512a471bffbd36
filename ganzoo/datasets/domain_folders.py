"""Two domains of images from folders: unpaired, in the layout of CycleGAN's data, or paired, in that of pix2pix's."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval, Len
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field, Source
from ganzoo.datasets.files import MAX_LISTED, Files, listing_digest
from ganzoo.datasets.folder_index import Headers, index_of
from ganzoo.datasets.folder_splits import (
    WHOLE,
    Splits,
    beside,
    find_domain_splits,
    find_splits,
    visible_folders,
)
from ganzoo.datasets.image_decoding import Half
from ganzoo.datasets.image_fields import Channels, Depth, MaxPixels, image_field, kind_details, storage_format
from ganzoo.datasets.image_files import HELD_OUT_EVERY, Split, check_memory, decode_all, find_folder, no_images_error
from ganzoo.datasets.image_opening import MAX_PIXELS
from ganzoo.datasets.left_out import LeftOut, displayed
from ganzoo.errors import DatasetError

SPLITS: tuple[Split, Split] = ("train", "test")
Size = Annotated[int, Interval(ge=4, le=4096)]
Folder = Annotated[str, Len(1)]


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain's images.

    splits: the folders of its files; left_out: what lies in them or beside them and is not read; half: the half of each
    file that shows it, or None for the whole file.
    """

    files: Mapping[Split, Files]
    headers: Headers
    splits: Splits
    left_out: LeftOut
    half: Half | None = None

    @property
    def held_out(self) -> bool:
        """Whether the test images are held out from those for training."""
        return self.splits.test is None

    def facts(self) -> dict[str, Any]:
        """The folder and the number of images of each split, as JSON."""
        folders: dict[Split, str | None] = {"train": self.splits.train or WHOLE, "test": self.splits.test}
        return {
            split: {"folder": name and displayed(name), "images": len(self.files[split])}
            for split, name in folders.items()
        }


class UnpairedFolders(Dataset):
    """Two domains without correspondence: the folders trainA, trainB, testA and testB of `path`.

    They are shuffled independently and may hold different numbers of images. The layout is that of CycleGAN's data
    (arXiv:1703.10593), such as horse2zebra; where a test folder is missing, one image in ten is held out.

    path: the folder that holds them, from the current directory or from the data root; subfolders are searched.
    size: pixels a side; images are scaled and centre-cropped to a square. By default it is the most common size in all
        folders. How many images are resized is reported.
    channels: 1 (grey), 2 (grey and alpha), 3 (colours) or 4 (colours and alpha) in both domains. The default is chosen
        for each domain: 3, or 1 where all its images are grey. Without an alpha channel, images are composited on
        white.
    depth: 8 or 16 bits a channel in both domains, as in `image-folder`. The default is chosen for each domain: 16 where
        all its images are grey with 16 bits, else 8.
    max_pixels: the most pixels of one file, as in `image-folder`.
    """

    name = "unpaired-folders"
    paired = False

    def __init__(
        self,
        *,
        path: Folder,
        size: Size | None = None,
        channels: Channels | None = None,
        depth: Depth | None = None,
        max_pixels: MaxPixels = MAX_PIXELS,
    ) -> None:
        self.path = path
        self.size = size
        self.channels = channels
        self.depth = depth
        self.max_pixels = max_pixels
        self._domains: dict[Path, dict[str, Domain]] = {}

    def info(self, root: Path) -> DatasetInfo:
        """From the files' headers; nothing is decoded. Raises: DatasetUnavailable, DatasetError."""
        folder = find_folder(self.path, root, self.name)
        domains = self.domains(folder)
        a, b = (domain.headers for domain in domains.values())
        both = a + b
        height, width = (self.size, self.size) if self.size else both.size
        fields = {
            key: image_field(domain.headers, height, width, self.channels, self.depth, "domain")
            for key, domain in domains.items()
        }
        counts = {key: len(domain.files["train"]) for key, domain in domains.items()}
        notes = [
            " and ".join(f"{count:,} images of {key}" for key, count in counts.items()),
            *both.resize_notes(height, width),
            *(f"{note} ({key})" for key in domains for note in domains[key].headers.conversion_notes(fields[key])),
        ]
        if any(domain.held_out for domain in domains.values()):
            notes.append(f"one image in {HELD_OUT_EVERY} is held out for testing")
        notes += [
            f"test split of {key}: {displayed(domain.splits.test)}"
            for key, domain in domains.items()
            if domain.splits.test and domain.splits.test.casefold() not in ("test", f"test{key}")
        ]
        left_out = sum((domain.left_out for domain in domains.values()), start=LeftOut())
        notes += left_out.notes()
        return DatasetInfo(
            fields=fields,
            size=max(counts.values()),
            details=kind_details(fields["b"]),
            paired=self.paired,
            licence="the files' own",
            source=displayed(folder.name),
            notes=tuple(notes),
            layout={
                "splits": {key: domain.facts() for key, domain in domains.items()},
                "left_out": left_out.facts(),
            },
        )

    def load(self, root: Path, split: Split = "train") -> Examples:
        """Decodes a split. Raises: DatasetError, naming damaged files, or where it does not fit into memory."""
        source = self.stream(root, split)
        tensors: dict[str, Tensor] = {}
        digest = hashlib.sha256(repr(storage_formats(source.fields)).encode())
        for key, size in source.sizes.items():
            check_memory(source.domains[key].files[split], source.fields[key], f"{self.path} ({key})")
            tensors[key] = source.fetch(key, range(size))
            digest.update(tensors[key].numpy().data)
        return Examples(
            tensors=tensors,
            checksum=f"sha256:{digest.hexdigest()}",
            origin=source.origin,
            listing=source.checksum,
        )

    def stream(self, root: Path, split: Split = "train") -> DomainSource:
        """A split whose images are decoded batch by batch. Raises: DatasetError."""
        folder = find_folder(self.path, root, self.name)
        return DomainSource(self.domains(folder), split, self.info(root).fields, displayed(folder), self.path)

    def domains(self, folder: Path) -> dict[str, Domain]:
        """Both domains; the folder is scanned once. Raises: DatasetError."""
        if folder not in self._domains:
            self._domains[folder] = self.read_domains(folder)
        return self._domains[folder]

    def read_domains(self, folder: Path) -> dict[str, Domain]:
        """Reads both domains of the folder. Raises: DatasetError where it does not hold two domains."""
        domains = {"a": read_domain(folder, "A", self.max_pixels), "b": read_domain(folder, "B", self.max_pixels)}
        splits = [name for domain in domains.values() for name in (domain.splits.train, domain.splits.test)]
        rest = beside(folder, visible_folders(folder), splits)
        return domains | {"b": replace(domains["b"], left_out=domains["b"].left_out + rest)}


def storage_formats(fields: Mapping[str, Field]) -> list[tuple[str, object]]:
    """The storage format of each domain, which is part of checksums."""
    return sorted((key, storage_format(field)) for key, field in fields.items())


class DomainSource(Source):
    """A split of two domains: every image is decoded when it is fetched.

    fields: how each domain's images are stored; origin: as in Examples; name: of the folder, for messages.
    """

    def __init__(
        self, domains: Mapping[str, Domain], split: Split, fields: Mapping[str, Field], origin: str, name: str
    ) -> None:
        self.domains = domains
        self.split = split
        self.fields = fields
        self.origin = origin
        self.name = name
        self.sizes = {key: len(domain.files[split]) for key, domain in domains.items()}
        halves = {key: domain.half for key, domain in domains.items()}
        files = [domain.files[split] for domain in domains.values()]
        self.checksum = listing_digest((storage_formats(fields), sorted(halves.items())), files)

    def fetch(self, key: str, rows: Sequence[int]) -> Tensor:
        """As in `Source`. Raises: DatasetError, naming the files that are damaged."""
        domain = self.domains[key]
        files = domain.files[self.split].take(np.asarray(rows, dtype=np.int64))
        return decode_all(files, self.fields[key], f"{self.name} ({key})", domain.half)


class PairedFolders(UnpairedFolders):
    """Two domains of corresponding images, as pix2pix learns from (arXiv:1611.07004).

    Either the folders trainA and trainB (testA and testB) of `path`, with the same file names in both; or the folder
    train (and test or val), or `path` itself, with images that show A in their left half and B in their right half, as
    in pix2pix's own data. Where there is no test folder, one pair in ten is held out.

    path: the folder, from the current directory or from the data root; subfolders are searched.
    train, test: the folders inside that hold the splits of images with two halves, as in `image-folder`; by default
        they are found by their names.
    size: pixels a side; images are scaled and centre-cropped to a square. By default it is the most common size. How
        many images are resized is reported.
    channels: 1 (grey), 2 (grey and alpha), 3 (colours) or 4 (colours and alpha) in both domains. The default is chosen
        for each domain: 3, or 1 where all its images are grey. Without an alpha channel, images are composited on
        white.
    depth: 8 or 16 bits a channel in both domains, as in `image-folder`. The default is chosen for each domain: 16 where
        all its images are grey with 16 bits, else 8.
    max_pixels: the most pixels of one file, as in `image-folder`.
    """

    name = "paired-folders"
    paired = True

    def __init__(
        self,
        *,
        path: Folder,
        train: Folder | None = None,
        test: Folder | None = None,
        size: Size | None = None,
        channels: Channels | None = None,
        depth: Depth | None = None,
        max_pixels: MaxPixels = MAX_PIXELS,
    ) -> None:
        super().__init__(path=path, size=size, channels=channels, depth=depth, max_pixels=max_pixels)
        self.train = train
        self.test = test

    def read_domains(self, folder: Path) -> dict[str, Domain]:
        """Reads both domains, in either layout. Raises: DatasetError where files have no counterpart."""
        halves = not any(name.casefold() in ("traina", "trainb") for name in visible_folders(folder))
        if halves or self.train is not None or self.test is not None:
            return read_side_by_side(folder, self.train, self.test, self.max_pixels)
        domains = super().read_domains(folder)
        names = {
            key: Counter((split, name) for split in SPLITS for name in pair_names(domain.files[split]))
            for key, domain in domains.items()
        }
        unpaired = [
            f"{displayed(name)} ({split}, only in {key} or more than once)"
            for key, other in (("a", "b"), ("b", "a"))
            for (split, name), count in sorted(names[key].items())
            if count != names[other][(split, name)] or count > 1
        ]
        if unpaired:
            more = f"\n  ... and {len(unpaired) - MAX_LISTED:,} more" if len(unpaired) > MAX_LISTED else ""
            raise DatasetError(
                f"{displayed(folder)}: {len(unpaired):,} images have no partner of the same name in the other "
                "domain:\n  " + "\n  ".join(unpaired[:MAX_LISTED]) + more,
                remedy='Give both the same name, or use dataset.name = "unpaired-folders".',
            )
        return domains


def read_domain(folder: Path, letter: str, max_pixels: int = MAX_PIXELS) -> Domain:
    """Reads the folders trainA and testA, or trainB and testB. Raises: DatasetError without a training folder."""
    return Domain(*split_files(folder, find_domain_splits(folder, letter), max_pixels))


def read_side_by_side(
    folder: Path, train: str | None = None, test: str | None = None, max_pixels: int = MAX_PIXELS
) -> dict[str, Domain]:
    """Both domains of images that show A in the left half and B in the right. Raises: DatasetError for an odd width."""
    files, whole, splits, left_out = split_files(folder, find_splits(folder, train, test), max_pixels)
    if odd := [f"{width} x {height}" for height, width in whole.sizes if width % 2]:
        raise DatasetError(
            f"{displayed(folder)}: pictures of {', '.join(sorted(odd)[:MAX_LISTED])} are not two side by side.",
            remedy="Each must show A in its left half and B in its right half; or use the folders trainA and trainB.",
        )
    sizes = Counter({(height, width // 2): count for (height, width), count in whole.sizes.items()})
    halves = Headers(sizes, whole.modes)
    return {
        "a": Domain(files, halves, splits, left_out, "left"),
        "b": Domain(files, halves, splits, LeftOut(), "right"),  # the same files, whose rest is said once
    }


def split_files(folder: Path, splits: Splits, max_pixels: int) -> tuple[dict[Split, Files], Headers, Splits, LeftOut]:
    """The files of each split, their headers, the splits, and what is left out. Raises: DatasetError."""
    index = index_of(folder / splits.train, max_pixels)
    if splits.test_in_train:
        index = index.take(~index.files.below(splits.test_in_train))
    whole, headers = sorted_by_name(index.files), index.headers()
    left_out = splits.left_out + index.left_out.below(splits.train)
    if not len(whole):
        raise no_images_error(folder / splits.train)
    if splits.test is not None:
        other = index_of(folder / splits.test, max_pixels)
        files: dict[Split, Files] = {"train": whole, "test": sorted_by_name(other.files)}
        return files, headers + other.headers(), splits, left_out + other.left_out.below(splits.test)
    held_out = np.arange(len(whole)) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    return {"train": whole.take(~held_out), "test": whole.take(held_out)}, headers, splits, left_out


def sorted_by_name(files: Files) -> Files:
    """Sorted by name without suffix, so that pairs are in the same order where one is a .jpg and the other a .png."""
    names = [name.split("/") for name in pair_names(files)]
    return files.take(sorted(range(len(files)), key=names.__getitem__))


def pair_names(files: Files) -> list[str]:
    """The names by which files are paired: each path relative to its folder, without suffix."""
    return [files.relative(number).rpartition(".")[0] for number in range(len(files))]
