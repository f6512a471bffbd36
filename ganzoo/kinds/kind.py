"""The interface of a kind of samples: how they are stored, drawn, written to files and read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from ganzoo.core.data import Field, Shape
from ganzoo.errors import GanzooError
from ganzoo.kinds.arrays import read_array, write_array

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_COARSE = 256
"""The most numbers that represent a sample in the search for near copies: few enough to search 60,000 samples."""

ARRAY_ENDINGS = (".npy", ".npz")
"""Endings of the files that every kind can write and read."""


@dataclass(frozen=True, slots=True)
class Media:
    """An item, such as a sound, that a page shows of a sample next to the picture.

    type: a MIME type ("audio/wav", "text/plain"); content: of such a file; caption: a description.
    """

    type: str
    content: bytes
    caption: str = ""


class Kind(ABC):
    """One kind of samples. It is on the shelf "kind"; a data set chooses it, with its details as options.

    A sample has two forms: the stored one, and "unit", the one that networks see (in [-1, 1] where it has bounds).
    `to_unit` and `from_unit` convert between them.
    """

    plural: ClassVar[str] = "samples"
    """The plural noun for samples in messages: "images", "recordings", "rows"."""

    bounds: ClassVar[tuple[float, float] | None] = None
    """The smallest and largest value in the unit form; None where it has no bounds."""

    clips: ClassVar[bool] = False
    """Whether `from_unit` clips values to `bounds` where samples are stored as integers, as pixels are. Where it does
    not, metrics refuse generated samples that are out of bounds."""

    extractor: ClassVar[str] = "flatten"
    """The name of the extractor whose features suit such samples; empty where none does."""

    drawn_on_real: ClassVar[bool] = False
    """Whether pictures show real samples underneath, which also set the axes."""

    endings: ClassVar[tuple[str, ...]] = ARRAY_ENDINGS
    """Endings of the files that `write` can write, apart from pictures (.png, .gif), which come from `picture`."""

    def unit_shape(self, shape: Shape) -> Shape:
        """The shape of a sample in unit form, given its stored shape; the same by default."""
        return shape

    def to_unit(self, stored: Tensor) -> Tensor:
        """Stored samples (n, *shape) -> unit form (n, *unit_shape), float32, on the same device."""
        return stored.to(torch.float32)

    def from_unit(self, samples: Tensor, field: Field) -> Tensor:
        """Samples in unit form (n, *unit_shape) -> stored form (n, *shape), of the field's dtype; for integers, values
        are rounded and clipped to the range of the dtype."""
        dtype = field.torch_dtype
        if dtype.is_floating_point or dtype is torch.bool:
            return samples.detach().to(dtype)
        whole = torch.iinfo(dtype)
        return samples.detach().double().round().clamp(whole.min, whole.max).to(dtype)

    def coarse(self, samples: Tensor) -> Tensor:
        """Reduced samples (n, d), from samples (n, *unit_shape); near copies are found by distances between them."""
        flat = samples.flatten(1).float()
        return adaptive_avg_pool1d(flat, MAX_COARSE) if flat.shape[1] > MAX_COARSE else flat

    @abstractmethod
    def picture(self, samples: Tensor, *, columns: int | None = None, real: Tensor | None = None) -> Image:
        """Draws samples (n, *unit_shape) as one picture.

        columns: the samples in a row, for kinds that are drawn in rows. real: real samples (m, *unit_shape), for kinds
        that are drawn on common axes.
        """

    def media(self, samples: Tensor) -> Sequence[Media]:
        """What a page shows of samples (n, *unit_shape) next to the picture, such as sound; by default nothing."""
        return ()

    def write(self, samples: Tensor, path: Path, field: Field, extra: Mapping[str, Tensor] | None = None) -> None:
        """Writes samples (n, *unit_shape) to a file with one of `endings`, atomically.

        field: how such samples are stored. extra: other tensors by name, such as conditions, (n, ...) each or one
        number; an .npz stores them in addition to "samples". Arrays are float32 in unit form.
        Raises: GanzooError for another ending.
        """
        if path.suffix.lower() not in ARRAY_ENDINGS:
            raise self.unsupported_ending(path)
        write_array(path, samples, extra or {})

    def read(self, path: Path, field: Field, *, fit: bool = False) -> Tensor:
        """Reads samples (n, *unit_shape) from a file that `write` can write, or from another common format.

        fit: whether to resize them to the field's size, for kinds whose files may have any size.
        Raises: GanzooError where the file holds no such samples.
        """
        if path.suffix.lower() not in ARRAY_ENDINGS:
            raise self.unsupported_ending(path)
        return self.checked(read_array(path), field, str(path))

    def checked(self, samples: Tensor, field: Field, source: str, *, to_be_clipped: bool = False) -> Tensor:
        """Returns the samples after checking them. source: where they come from, for messages; to_be_clipped: whether
        values out of `bounds` are allowed.

        Raises: GanzooError where they are not floating point (n, *unit_shape), not finite, or out of `bounds`.
        """
        shape = self.unit_shape(field.shape)
        if tuple(samples.shape[1:]) != shape or not samples.is_floating_point():
            raise GanzooError(
                f"{source}: {tuple(samples.shape)} {str(samples.dtype).removeprefix('torch.')} are no {self.plural}.",
                remedy=f"They should be (n, {', '.join(map(str, shape))}), floating point.",
            )
        if not bool(samples.isfinite().all()):
            raise GanzooError(f"{source}: some numbers are not finite.", remedy="Look at the run: has it diverged?")
        if self.bounds and len(samples) and not to_be_clipped:
            low, high = (end.item() for end in samples.aminmax())
            if low < self.bounds[0] - 1e-3 or high > self.bounds[1] + 1e-3:
                raise GanzooError(
                    f"{source}: numbers from {low:.4g} to {high:.4g} are no {self.plural}.",
                    remedy=f"They should be from {self.bounds[0]:g} to {self.bounds[1]:g}.",
                )
        return samples

    def unsupported_ending(self, path: Path) -> GanzooError:
        """The error for an ending that this kind does not support."""
        return GanzooError(
            f'{path}: {self.plural} cannot be kept in "{path.suffix}" files.',
            remedy=f"Use {', '.join(self.endings)}, or .png for a picture of them.",
        )
