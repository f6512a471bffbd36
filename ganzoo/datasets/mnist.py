"""MNIST, Fashion-MNIST and Kuzushiji-MNIST: 28x28 grey images of ten classes, in idx files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field
from ganzoo.datasets.digest import digest_of
from ganzoo.datasets.download import Remote, download, unpack_gzip
from ganzoo.datasets.idx import IMAGES, LABELS, count_idx, find_idx, read_idx
from ganzoo.errors import DatasetError, DatasetUnavailable
from ganzoo.recipe.plain_file import MIB

Split = Literal["train", "test"]
FILES: dict[Split, tuple[str, str]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

MAX_DOWNLOAD = 64 * MIB
"""The most bytes of a packed file; Fashion-MNIST's images have 26 MB."""


class MNIST(Dataset):
    """Handwritten digits (LeCun, Cortes and Burges, 1998): 60,000 for training and 10,000 for testing, 28x28, grey.

    The four idx files, or their .gz, are read from <data root>/MNIST/raw (torchvision's layout), <data root>/MNIST, or
    the data root itself; otherwise they are downloaded from torchvision's mirrors, and used if their MD5 are right.
    """

    folder: ClassVar[str] = "MNIST"
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    licence: ClassVar[str] = "CC BY-SA 3.0 as commonly stated"
    source: ClassVar[str] = "LeCun, Cortes and Burges"

    def is_available(self, root: Path) -> bool:
        """Whether all four files exist."""
        return all(find_idx(name, self.search_folders(root)) for split in FILES.values() for name in split)

    def info(self, root: Path) -> DatasetInfo:
        """28x28, grey; the size is that of the file on disk (the official 60,000 before it is downloaded)."""
        images = find_idx(FILES["train"][0], self.search_folders(root))
        return DatasetInfo(
            fields={"real": Field((1, 28, 28), "uint8"), "label": Field.label(self.classes)},
            size=count_idx(images, IMAGES) if images else 60_000,
            licence=self.licence,
            source=self.source,
            extractor="digits",
        )

    def load(self, root: Path, split: Split = "train") -> Examples:
        """One split, from disk or from the mirrors. Raises: DatasetUnavailable, DatasetError."""
        if any(find_idx(name, self.search_folders(root)) is None for name in FILES[split]):
            self.download(root)
        (images_path, images), (labels_path, labels) = (
            self._read(root, name, magic) for name, magic in zip(FILES[split], (IMAGES, LABELS), strict=True)
        )
        if images.shape[1:] != (28, 28):
            raise DatasetError(f"{images_path}: pictures of {tuple(images.shape[1:])}, not (28, 28).")
        if len(images) != len(labels) or not len(images):
            raise DatasetError(f"{labels_path}: {len(labels):,} labels for {len(images):,} pictures.")
        if int(labels.max()) >= len(self.classes):
            raise DatasetError(
                f"{labels_path}: a label of {int(labels.max())}, and there are {len(self.classes)} classes."
            )
        return Examples(
            tensors={"real": images.unsqueeze(1), "label": labels.long()},
            checksum=digest_of({"image": images, "label": labels}),
            origin=str(images_path.parent),
        )

    def download(self, root: Path) -> None:
        """Downloads what is missing into <data root>/NAME/raw, torchvision's layout. Raises: DatasetUnavailable."""
        from torchvision import datasets

        published = getattr(datasets, self.folder)  # its mirrors, and the MD5 of each file
        folder = self.search_folders(root)[0]
        for file, md5 in published.resources:
            unpacked = file.removesuffix(".gz")
            if find_idx(unpacked, self.search_folders(root)) is None:
                remote = Remote([f"{mirror}{file}" for mirror in published.mirrors], f"md5:{md5}", MAX_DOWNLOAD)
                download(remote, folder / file, name=self.folder, remedy=self.download_remedy(root))
                unpack_gzip(folder / file, folder / unpacked)

    def search_folders(self, root: Path) -> list[Path]:
        """The folders to search for the files, in order."""
        return [root / self.folder / "raw", root / self.folder, root / self.folder.lower(), root]

    def download_remedy(self, root: Path) -> str:
        """What to do where the files cannot be downloaded."""
        names = ", ".join(name for pair in FILES.values() for name in pair)
        return (
            f"Put the files {names} (or their .gz) into {self.folder}/raw in a folder, and name that folder with "
            'GANZOO_DATA or --data-root; or give the recipe [dataset] fallback = "glyphs".'
        )

    def _read(self, root: Path, name: str, magic: int) -> tuple[Path, Tensor]:
        path = find_idx(name, self.search_folders(root))
        if path is None:
            raise DatasetUnavailable(
                f"{self.folder}: there is no file {name} under {root}.", remedy=self.download_remedy(root)
            )
        return path, read_idx(path, magic)


class FashionMNIST(MNIST):
    """Fashion-MNIST (Xiao et al., 2017, arXiv:1708.07747): articles of clothing, in MNIST's sizes and files."""

    folder = "FashionMNIST"
    classes = (
        "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    )  # fmt: skip
    licence = "MIT"
    source = "Zalando Research"

    def search_folders(self, root: Path) -> list[Path]:
        """Not the root itself: the file names are MNIST's."""
        return super().search_folders(root)[:-1]


class KMNIST(MNIST):
    """Kuzushiji-MNIST (Clanuwat et al., 2018, arXiv:1812.01718): cursive Japanese characters, in MNIST's sizes."""

    folder = "KMNIST"
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    licence = "CC BY-SA 4.0"
    source = "ROIS-DS Center for Open Data in the Humanities"

    def search_folders(self, root: Path) -> list[Path]:
        """Not the root itself: the file names are MNIST's."""
        return super().search_folders(root)[:-1]
