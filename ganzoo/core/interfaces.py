"""What a generator, a discriminator, a loss, a regularizer, a dataset and a schedule are.

Each is a small class to inherit from. A component's options are its constructor's keyword parameters: their names,
types, defaults and docstring are the schema that recipes are checked against. Three parameters are never written in a
recipe but filled in from the data where a constructor names them: `sample_shape`, `n_classes` and `input_shape`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ganzoo.core.noise import joint

Shape = tuple[int, ...]
"""The shape of one sample without the batch: (channels, height, width) of an image, (2,) of a point in the plane."""

Batch = Mapping[str, Tensor]
"""What one draw gives, on the training device: "image" (N, *sample_shape), float32, images in [-1, 1]; "label" (N,),
int64, where the dataset has classes. A point set's points also go by "image": it is the key of the real samples.
Data of two domains give "a" and "b" in the place of "image", each (N, *its shape), in [-1, 1]."""


class Generator(nn.Module, ABC):
    """Makes samples from noise. Implement `forward` and set `latent_dim`.

    Shapes: latents (N, latent_dim) [and labels (N,), int64] -> samples (N, *sample_shape); images in [-1, 1].
    """

    latent_dim: int

    @abstractmethod
    def forward(self, latents: Tensor) -> Tensor:
        """latents (N, latent_dim) -> samples (N, *sample_shape)."""

    def latents(self, n: int) -> Tensor:
        """Draws n latents (n, latent_dim) from the prior, the standard normal, on the generator's device.

        They come from the device's default random stream, the one that `[train] seed` seeds and checkpoints save; where
        several ranks train, they are this one's rows of the latents that a single one would draw.
        """
        return joint(torch.randn, n, self.latent_dim, device=next(self.parameters()).device)


class Translator(nn.Module, ABC):
    """Makes a sample of one domain from a sample of another: a generator without latents. Implement `forward`.

    It stands on the shelf of generators. Its constructor takes `sample_shape`, of what it makes, and `input_shape:
    Shape | None = None`, of what it is given (None: the same); both are filled in by the game that asks for it.

    Shapes: samples (N, *input_shape) -> samples (N, *sample_shape); images in [-1, 1]. One that also takes images of
    other sizes, as convolutions do, gives back the size that it was given.
    """

    @abstractmethod
    def forward(self, samples: Tensor) -> Tensor:
        """samples (N, *input_shape) -> samples (N, *sample_shape)."""


class Discriminator(nn.Module, ABC):
    """Tells real samples from generated ones. Implement `forward`.

    Shapes: samples (N, *sample_shape) [and labels (N,)] -> scores (N,), unbounded logits. There is never a sigmoid
    inside: sigmoid(score) is the paper's D(x). A critic is a discriminator.
    """

    per_sample: ClassVar[bool] = False
    """True where a sample's score does not depend on the others in its batch (no batch norm, no minibatch statistics):
    a game may then score real and generated samples in one pass, which is faster and changes nothing."""

    @abstractmethod
    def forward(self, samples: Tensor) -> Tensor:
        """samples (N, *sample_shape) -> scores (N,)."""


class Loss(ABC):
    """The objective, as two functions of scores; each returns a scalar to minimise.

    Scores are logits of shape (N,) (or any shape, as a patch discriminator gives; the mean is over all of them).
    """

    needs_real_scores: ClassVar[bool] = False
    """True where `generator` reads the real scores too, as relativistic losses do; the game then computes them."""

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises, from its scores of real and of generated samples."""

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """What the generator minimises, from the discriminator's scores of its samples (and of real ones)."""

    def metrics(self, real: Tensor, fake: Tensor) -> Mapping[str, Tensor]:
        """What else the scores of a discriminator's move tell, by the name to log it under; nothing by default.

        real, fake: detached. Returns scalars, such as the distance that a critic estimates; a row of metrics.jsonl has
        their means over the moves since the row before.
        """
        return {}


class Regularizer(nn.Module, ABC):
    """A term added to a player's loss (`penalty`), or a constraint applied after its move (`constrain`), or both.

    It is a module, so that what must survive a resume (a count of moves) is a registered buffer.
    """

    player: ClassVar[str] = "discriminator"
    """Whose loss or weights it works on."""

    def penalty(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor | None:
        """The scalar to add to the loss of `network`, or None. real, fake: samples (N, *sample_shape), detached."""
        return None

    def constrain(self, network: nn.Module) -> None:
        """Changes the weights of `network` in place, right after its optimizer's step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """What is known of a data set before any of it is loaded.

    sample_shape: of one sample; kind: how samples are drawn for people; size: number of training samples;
    classes: names by label, empty where there are none; gives: the keys of a batch; notes: what a person should know
    about how these samples were made from the files ("812 of 1,000 images resized to 64x64").
    shapes: of what goes by keys beside "image" and "label": {"a": (1, 28, 28), "b": (3, 28, 28)} for two domains, of
    which sample_shape is b's; paired: whether the k-th examples of all keys belong together. Where they do not, each
    key may have its own number of examples (size: the largest) and is shuffled on its own.
    extractor: on the shelf of that name, the one whose features suit such samples, where a user names none.
    """

    sample_shape: Shape
    size: int
    classes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ("image",)
    kind: Literal["images", "points"] = "images"
    licence: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    paired: bool = True
    extractor: str = "inception"

    def shape_of(self, key: str) -> Shape:
        """The shape of what goes by a key of `gives`, without the batch: () for a label."""
        known = {"image": self.sample_shape, **self.shapes}
        return known.get(key, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """One split of a data set in memory.

    tensors: "image" (n, C, H, W) uint8 in 0..255, or (n, d) float32 for points; "label" (n,) int64 where there are
    classes; for two domains "a" and "b" as "image". There may be more than the info's `gives` names: what only an
    evaluation reads. checksum: "sha256:..." or "md5:..." over what was read, the same whenever the samples are.
    origin: where they came from, for people ("MNIST/raw in the data folder", "made by ganzoo").
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
        return self.tensors[key][torch.as_tensor(rows)]


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

    def at_hand(self, root: Path) -> bool | None:
        """Whether `load` finds its files under `root`, or makes them itself, so that it needs no network.

        Only looks whether they are there. None, the default: this data set does not say.
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


class Schedule(ABC):
    """A learning rate's course: a pure function of progress, so that resuming needs no state."""

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """The factor on the learning rate at `progress` in [0, 1] of the training budget."""
