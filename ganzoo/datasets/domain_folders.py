"""Two domains from folders of images: unpaired as CycleGAN's data come, or paired as pix2pix's do."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Interval, Len
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field, Source
from ganzoo.datasets.files import NAMED, Files, listing_digest
from ganzoo.datasets.folder_index import Headers, index_of
from ganzoo.datasets.image_decoding import Half
from ganzoo.datasets.image_fields import Channels, Depth, field_of, kind_details, stored_form
from ganzoo.datasets.image_files import TEST_SHARE, Split, decode_all, find_folder, fits, no_image
from ganzoo.errors import DatasetError

SPLITS: tuple[Split, Split] = ("train", "test")
Size = Annotated[int, Interval(ge=4, le=4096)]
Folder = Annotated[str, Len(1)]


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain's images. half: which part of each file it is; held_out: whether training gave up its test images."""

    files: Mapping[Split, Files]
    headers: Headers
    half: Half | None = None
    held_out: bool = False


class UnpairedFolders(Dataset):
    """Two domains that show different things: the folders trainA, trainB, testA and testB of `path`.

    They are shuffled independently and may hold different numbers of images. The layout is that of CycleGAN's data
    (arXiv:1703.10593), horse2zebra say; where a test folder is missing, one image in ten is held out.

    path: the folder that holds them, from the current directory or from the data root; subfolders are searched.
    size: pixels a side, images being scaled and centre-cropped to a square; by default the most common size in all
        folders; how many images are resized to it is said.
    channels: 1 (grey), 2 (grey and alpha), 3 (colours) or 4 (colours and alpha) in both domains; by default each
        domain's own: 3, or 1 where every image of it is grey. Without an alpha channel transparency is laid on white.
    depth: 8 or 16 bits a channel in both domains, as `image-folder` has it; by default each domain's own: 16 where
        every image of it is grey and has 16, else 8.
    """

    name = "unpaired-folders"
    paired = False

    def __init__(
        self, *, path: Folder, size: Size | None = None, channels: Channels | None = None, depth: Depth | None = None
    ) -> None:
        self.path = path
        self.size = size
        self.channels = channels
        self.depth = depth
        self._domains: dict[Path, dict[str, Domain]] = {}

    def info(self, root: Path) -> DatasetInfo:
        """From the files' headers; nothing is decoded. Raises: DatasetUnavailable, DatasetError."""
        folder = find_folder(self.path, root, self.name)
        domains = self.domains(folder)
        a, b = (domain.headers for domain in domains.values())
        both = a + b
        height, width = (self.size, self.size) if self.size else both.size
        fields = {
            key: field_of(domain.headers, height, width, self.channels, self.depth, "domain")
            for key, domain in domains.items()
        }
        counts = {key: len(domain.files["train"]) for key, domain in domains.items()}
        notes = [
            " and ".join(f"{count:,} images of {key}" for key, count in counts.items()),
            *both.resized(height, width),
            *(f"{note} ({key})" for key in domains for note in domains[key].headers.converted(fields[key])),
        ]
        if any(domain.held_out for domain in domains.values()):
            notes.append(f"one image in {TEST_SHARE} is held out for testing")
        return DatasetInfo(
            fields=fields,
            size=max(counts.values()),
            details=kind_details(fields["b"]),
            paired=self.paired,
            licence="the files' own",
            source=folder.name,
            notes=tuple(notes),
        )

    def load(self, root: Path, split: Split = "train") -> Examples:
        """Decodes a split. Raises: DatasetError, naming the files that are damaged; or where memory would not do."""
        source = self.stream(root, split)
        tensors: dict[str, Tensor] = {}
        digest = hashlib.sha256(repr(stored_forms(source.fields)).encode())
        for key, size in source.sizes.items():
            fits(source.domains[key].files[split], source.fields[key], f"{self.path} ({key})")
            tensors[key] = source.fetch(key, range(size))
            digest.update(tensors[key].numpy().data)
        return Examples(
            tensors=tensors,
            checksum=f"sha256:{digest.hexdigest()}",
            origin=source.origin,
            listing=source.checksum,
        )

    def stream(self, root: Path, split: Split = "train") -> DomainSource:
        """A split, to be decoded piece by piece. Raises: DatasetError."""
        folder = find_folder(self.path, root, self.name)
        return DomainSource(self.domains(folder), split, self.info(root).fields, str(folder), self.path)

    def domains(self, folder: Path) -> dict[str, Domain]:
        """Both domains, looked through once. Raises: DatasetError."""
        if folder not in self._domains:
            self._domains[folder] = self.find(folder)
        return self._domains[folder]

    def find(self, folder: Path) -> dict[str, Domain]:
        """What the folder holds. Raises: DatasetError where that is no two domains."""
        return {"a": domain_in(folder, "A"), "b": domain_in(folder, "B")}


def stored_forms(fields: Mapping[str, Field]) -> list[tuple[str, object]]:
    """What a checksum is over beside the files, by domain."""
    return sorted((key, stored_form(field)) for key, field in fields.items())


class DomainSource(Source):
    """A split of two domains: every image is decoded when it is asked for.

    fields: how each domain's images are stored; origin: as in Examples; whose: for messages.
    """

    def __init__(
        self, domains: Mapping[str, Domain], split: Split, fields: Mapping[str, Field], origin: str, whose: str
    ) -> None:
        self.domains = domains
        self.split = split
        self.fields = fields
        self.origin = origin
        self.whose = whose
        self.sizes = {key: len(domain.files[split]) for key, domain in domains.items()}
        halves = {key: domain.half for key, domain in domains.items()}
        files = [domain.files[split] for domain in domains.values()]
        self.checksum = listing_digest((stored_forms(fields), sorted(halves.items())), files)

    def fetch(self, key: str, rows: Sequence[int]) -> Tensor:
        """As in `Source`. Raises: DatasetError, naming the files that are damaged."""
        domain = self.domains[key]
        files = domain.files[self.split].take(np.asarray(rows, dtype=np.int64))
        return decode_all(files, self.fields[key], f"{self.whose} ({key})", domain.half)


class PairedFolders(UnpairedFolders):
    """Two domains that show the same things, image by image, as pix2pix learns from (arXiv:1611.07004).

    Either the folders trainA and trainB (testA and testB) of `path`, whose files go by the same names; or the folder
    train (and test or val), or `path` itself, of pictures A and B side by side, A on the left, as pix2pix's own data
    come. Where there is nothing to test on, one pair in ten is held out.

    path: the folder, from the current directory or from the data root; subfolders are searched.
    size: pixels a side, images being scaled and centre-cropped to a square; by default the most common size; how many
        are resized to it is said.
    channels: 1 (grey), 2 (grey and alpha), 3 (colours) or 4 (colours and alpha) in both domains; by default each
        domain's own: 3, or 1 where every image of it is grey. Without an alpha channel transparency is laid on white.
    depth: 8 or 16 bits a channel in both domains, as `image-folder` has it; by default each domain's own: 16 where
        every image of it is grey and has 16, else 8.
    """

    name = "paired-folders"
    paired = True

    def find(self, folder: Path) -> dict[str, Domain]:
        """What the folder holds, in either layout. Raises: DatasetError where files have no partner."""
        if not (folder / "trainA").is_dir() and not (folder / "trainB").is_dir():
            return side_by_side(folder)
        domains = super().find(folder)
        names = {
            key: Counter((split, name) for split in SPLITS for name in names_of(domain.files[split]))
            for key, domain in domains.items()
        }
        lonely = [
            f"{name} ({split}, only in {key} or more than once)"
            for key, other in (("a", "b"), ("b", "a"))
            for (split, name), count in sorted(names[key].items())
            if count != names[other][(split, name)] or count > 1
        ]
        if lonely:
            more = f"\n  ... and {len(lonely) - NAMED:,} more" if len(lonely) > NAMED else ""
            raise DatasetError(
                f"{folder}: {len(lonely):,} images have no partner of the same name in the other domain:\n  "
                + "\n  ".join(lonely[:NAMED])
                + more,
                remedy='Give both the same name, or use dataset.name = "unpaired-folders".',
            )
        return domains


def domain_in(folder: Path, letter: str) -> Domain:
    """The folders trainA and testA, or trainB and testB. Raises: DatasetError where there is nothing to train on."""
    train, test = (folder / f"{split}{letter}" for split in SPLITS)
    if not train.is_dir():
        raise DatasetError(
            f"{folder}: there is no folder train{letter} in it.",
            remedy="Two domains lie in the folders trainA and trainB, and to test on in testA and testB.",
        )
    files, headers, held_out = split_up(train, test if test.is_dir() else None)
    return Domain(files, headers, held_out=held_out)


def side_by_side(folder: Path) -> dict[str, Domain]:
    """Both domains of pictures that show A on the left and B on the right. Raises: DatasetError on an odd width."""
    train = folder / "train"
    test = next((folder / name for name in ("test", "val") if train.is_dir() and (folder / name).is_dir()), None)
    files, whole, held_out = split_up(train if train.is_dir() else folder, test)
    if odd := [f"{width} x {height}" for height, width in whole.sizes if width % 2]:
        raise DatasetError(
            f"{folder}: pictures of {', '.join(sorted(odd)[:NAMED])} are not two pictures side by side.",
            remedy="Each shows A on its left half and B on its right half; or use the folders trainA and trainB.",
        )
    sizes = Counter({(height, width // 2): count for (height, width), count in whole.sizes.items()})
    halves = Headers(sizes, whole.modes)
    return {"a": Domain(files, halves, "left", held_out), "b": Domain(files, halves, "right", held_out)}


def split_up(train: Path, test: Path | None) -> tuple[dict[Split, Files], Headers, bool]:
    """The images of each split, their headers, and whether some of train were held out. Raises: DatasetError."""
    index = index_of(train)
    whole, headers = in_order(index.files), index.headers()
    if not len(whole):
        raise no_image(train)
    if test is not None:
        other = index_of(test)
        return {"train": whole, "test": in_order(other.files)}, headers + other.headers(), False
    held_out = np.arange(len(whole)) % TEST_SHARE == TEST_SHARE - 1
    return {"train": whole.take(~held_out), "test": whole.take(held_out)}, headers, True


def in_order(files: Files) -> Files:
    """By their names without endings: pairs come in one order though one is a .jpg and the other a .png."""
    names = [name.split("/") for name in names_of(files)]
    return files.take(sorted(range(len(files)), key=names.__getitem__))


def names_of(files: Files) -> list[str]:
    """What pairs go by: the way to each file inside trainA, say, without its ending."""
    return [files.relative(number).rpartition(".")[0] for number in range(len(files))]
