"""What a data set is: the fields of a batch, what is known before anything is loaded, and how it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

Shape: TypeAlias = tuple[int, ...]
"""The shape of one sample without the batch: (channels, height, width) of an image, (2,) of a point in the plane."""

Batch: TypeAlias = Mapping[str, Tensor]
"""What one draw gives, on the training device, by key: "real" (N, *sample_shape), real samples as networks see them
(images float32 in [-1, 1]); "label" (N,), int64, where the data set has classes; further conditions by their names.
Data of two domains give "a" and "b" in the place of "real"."""

Role: TypeAlias = Literal["sample", "condition", "mask", "domain"]


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a batch, as the data set stores it.

    shape: of one example, without the batch, () for a label; dtype: torch's name of it ("uint8", "int16", "float32");
    role: "sample" (what a generator makes), "condition" (what it is asked for), "mask" (a condition that says where:
    0 or 1 for each place), "domain" (samples of one of several domains).
    classes: names of a label's values. kind: for a condition or mask that is stored as a kind of samples is (a
    low-resolution image): that kind's name on the shelf; samples and domains are of the data set's kind.
    """

    shape: Shape
    dtype: str
    role: Role = "sample"
    classes: tuple[str, ...] = ()
    kind: str = ""

    @classmethod
    def label(cls, classes: Sequence[str]) -> Field:
        """A class label, int64 from 0 on. classes: their names, in the order of the labels."""
        return cls((), "int64", "condition", tuple(classes))

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype as torch has it."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Field:
        """The inverse of `dataclasses.asdict`. Raises: KeyError, TypeError."""
        shape, classes = tuple(value["shape"]), tuple(value["classes"])
        return cls(shape, value["dtype"], value["role"], classes, value["kind"])


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """What is known of a data set before any of it is loaded.

    fields: every key of a batch -> what it is; size: number of training samples; kind: what a sample is, by its name on
    the shelf "kind"; details: that kind's options, JSON-able (a sample rate, an alphabet, names of columns).
    notes: what a person should know about how these samples were made from the files ("812 of 1,000 images resized to
    64x64"). paired: whether the k-th examples of all keys belong together; where they do not, each key may have its own
    number of examples (size: the largest) and is shuffled on its own.
    extractor: on the shelf of that name, the one whose features suit these samples; empty for the kind's.
    layout: what a folder of files was read as, JSON-able: its splits, classes with counts, and what was left out.
    """

    fields: Mapping[str, Field]
    size: int
    kind: str = "image"
    details: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    paired: bool = True
    extractor: str = ""
    layout: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gives(self) -> tuple[str, ...]:
        """The keys of a batch."""
        return tuple(self.fields)

    @property
    def domains(self) -> tuple[str, ...]:
        """The keys of domains: ("a", "b"); none where samples are of one kind."""
        return tuple(key for key, field in self.fields.items() if field.role == "domain")

    @property
    def conditions(self) -> tuple[str, ...]:
        """The keys that samples may be conditioned on."""
        return tuple(key for key, field in self.fields.items() if field.role in ("condition", "mask"))

    @property
    def sample_key(self) -> str:
        """The key of the real samples; of domains the last one, which translation leads to."""
        return next((key for key, field in self.fields.items() if field.role == "sample"), ("real", *self.domains)[-1])

    @property
    def sample_shape(self) -> Shape:
        """The shape of one stored sample."""
        return self.fields[self.sample_key].shape

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by label; none where there is no "label"."""
        return self.fields["label"].classes if "label" in self.fields else ()

    def kind_of(self, key: str) -> str:
        """The name of the kind that a key's examples are of; empty for plain numbers, such as labels."""
        field = self.fields[key]
        return self.kind if field.role in ("sample", "domain") else field.kind

    def facts(self) -> dict[str, Any]:
        """As a JSON object; `from_json` is the inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DatasetInfo:
        """The inverse of `facts`; keys beside its own are left out. Raises: KeyError, TypeError."""
        return cls(
            fields={key: Field.from_json(field) for key, field in value["fields"].items()},
            size=value["size"],
            kind=value["kind"],
            details=dict(value["details"]),
            licence=value["licence"],
            source=value["source"],
            notes=tuple(value["notes"]),
            paired=value["paired"],
            extractor=value["extractor"],
            layout=dict(value.get("layout", {})),  # runs of before have none
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """One split of a data set in memory.

    tensors: each key of the info's `fields`, stored as its field says: (n, *shape) of its dtype. There may be more than
    the info names: what only an evaluation reads. checksum: "sha256:..." or "md5:..." over what was read, the same
    whenever the samples are. origin: where they came from, for people ("MNIST/raw in the data folder").
    listing: the checksum that the same split has as a `Source`, where the data set offers one.
    """

    tensors: Mapping[str, Tensor]
    checksum: str
    origin: str
    listing: str = ""

    @property
    def sizes(self) -> dict[str, int]:
        """How many examples go by each key."""
        return {key: len(tensor) for key, tensor in self.tensors.items()}

    def fetch(self, key: str, rows: Sequence[int]) -> Tensor:
        """The examples of those numbers (len(rows), ...)."""
        return self.tensors[key][torch.as_tensor(rows, dtype=torch.int64)]  # of no rows, too


class Source(ABC):
    """One split of a data set that is read piece by piece, for data that do not fit into memory.

    Set `sizes`, how many examples go by each key; `checksum`, the same whenever the samples are, cheaply had and with a
    word before it that says over what ("listing:..." is over names and sizes of files); and `origin`, as in Examples.
    Worker processes hold copies: what is large in it should be tensors or arrays, which they share.
    """

    sizes: Mapping[str, int]
    checksum: str
    origin: str

    @property
    def listing(self) -> str:
        """The checksum, by the name that `Examples` have for it."""
        return self.checksum

    @abstractmethod
    def fetch(self, key: str, rows: Sequence[int]) -> Tensor:
        """The examples of those numbers (len(rows), ...), bit for bit what `Examples.tensors[key][rows]` would be.

        Called in worker processes, in any order. Raises: DatasetError where one cannot be read, naming the file.
        """


class Dataset(ABC):
    """Named, described data. The constructor only takes options: it touches no file and no network."""

    @property
    def unstacked(self) -> Dataset:
        """The data set whose images stand in the channels of this one's, and whose labels are the digits of this one's
        (label = 10 a + b for channels a and b of ten classes each); itself where nothing is stacked, as in most."""
        return self

    def is_available(self, root: Path) -> bool | None:
        """Whether `load` needs no network, because its files are under `root` or it generates the data itself.

        Only checks that the files exist. None, the default: unknown.
        """
        return None

    @abstractmethod
    def info(self, root: Path) -> DatasetInfo:
        """What the data are. Cheap: may look at file names and headers under `root`, loads nothing, downloads nothing.

        Raises: DatasetUnavailable where that takes files which are not there (an image folder); DatasetError where
        they are wrong.
        """

    @abstractmethod
    def load(self, root: Path, split: Literal["train", "test"] = "train") -> Examples:
        """Reads (and where needed and possible downloads) one split. root: the folder that holds all data sets.

        Raises: DatasetUnavailable where the data cannot be had, with the remedy; DatasetError where a file is corrupt
        or truncated, naming the file. A name that the recipe's `fallback` replaces is one that raised
        DatasetUnavailable.
        """

    def stream(self, root: Path, split: Literal["train", "test"] = "train") -> Source | None:
        """The same split, to be read piece by piece; None, as here, from data sets that do not offer that.

        Raises: as `load`. Nothing is decoded for it: it answers within seconds, whatever the size.
        """
        return None
