"""What a kind of samples is: how they are stored, drawn, written to files and read back."""

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

MOST_NUMBERS = 256
"""Numbers a sample that are compared in the search for near copies: few enough to search 60,000."""

ARRAYS = (".npy", ".npz")
"""What samples of every kind can be written to and read from."""


@dataclass(frozen=True, slots=True)
class Media:
    """Something that a page shows of one sample beside the picture.

    type: a MIME type ("audio/wav", "text/plain"); content: of such a file; caption: what it is.
    """

    type: str
    content: bytes
    caption: str = ""


class Kind(ABC):
    """One kind of samples. Stands on the shelf "kind"; a data set chooses it, with its details as options.

    Two forms are told apart: a sample as it is stored, and as networks see it ("unit": where there are bounds, in
    [-1, 1]). `to_unit` and `from_unit` go from one to the other.
    """

    plural: ClassVar[str] = "samples"
    """What people call several of them: "images", "recordings", "rows"."""

    bounds: ClassVar[tuple[float, float] | None] = None
    """Between which numbers networks see them; None where they may be anywhere."""

    clips: ClassVar[bool] = False
    """Whether `from_unit` clips numbers beyond `bounds` where samples are stored as whole numbers, as pixels are. Where
    it does not, metrics refuse generated samples that are out of bounds."""

    extractor: ClassVar[str] = "flatten"
    """On the shelf of that name, the one whose features suit such samples; empty where none does."""

    drawn_on_real: ClassVar[bool] = False
    """Whether pictures show real samples underneath, which set the axes."""

    endings: ClassVar[tuple[str, ...]] = ARRAYS
    """Endings of files that `write` makes, apart from pictures (.png, .gif), which every kind has by `picture`."""

    def unit_shape(self, shape: Shape) -> Shape:
        """The shape of a sample as networks see it, from the one that it is stored in; the same, unless overridden."""
        return shape

    def to_unit(self, stored: Tensor) -> Tensor:
        """Stored samples (n, *shape) -> what networks see (n, *unit_shape), float32, on the same device."""
        return stored.to(torch.float32)

    def from_unit(self, samples: Tensor, field: Field) -> Tensor:
        """What networks make (n, *unit_shape) -> the stored form (n, *shape), of the field's dtype; whole numbers are
        rounded, and clipped where the dtype ends."""
        dtype = field.torch_dtype
        if dtype.is_floating_point or dtype is torch.bool:
            return samples.detach().to(dtype)
        whole = torch.iinfo(dtype)
        return samples.detach().double().round().clamp(whole.min, whole.max).to(dtype)

    def coarse(self, samples: Tensor) -> Tensor:
        """A few numbers (n, d) for each of samples (n, *unit_shape), by whose distances near copies are found."""
        flat = samples.flatten(1).float()
        return adaptive_avg_pool1d(flat, MOST_NUMBERS) if flat.shape[1] > MOST_NUMBERS else flat

    @abstractmethod
    def picture(self, samples: Tensor, *, columns: int | None = None, real: Tensor | None = None) -> Image:
        """Samples (n, *unit_shape) as one picture, whatever they are.

        columns: how many stand in a row, where there are rows. real: real samples (m, *unit_shape), for kinds that are
        drawn on common axes.
        """

    def media(self, samples: Tensor) -> Sequence[Media]:
        """What a page shows of samples (n, *unit_shape) beside the picture: sound to play, text; nothing by default."""
        return ()

    def write(self, samples: Tensor, path: Path, field: Field, named: Mapping[str, Tensor] | None = None) -> None:
        """Writes samples (n, *unit_shape) to a file of one of `endings`, which appears whole or not at all.

        field: how such samples are stored. named: what else belongs to them, conditions for one, (n, ...) each or a
        number: an .npz holds it beside "samples". Arrays hold float32 as networks see them.
        Raises: GanzooError for another ending.
        """
        if path.suffix.lower() not in ARRAYS:
            raise self.unknown(path)
        write_array(path, samples, named or {})

    def read(self, path: Path, field: Field, *, fit: bool = False) -> Tensor:
        """Samples (n, *unit_shape) from a file that `write` makes, or another that people have such samples in.

        fit: whether to bring them to the field's size, for kinds whose files may have any.
        Raises: GanzooError where it holds none.
        """
        if path.suffix.lower() not in ARRAYS:
            raise self.unknown(path)
        return self.checked(read_array(path), field, str(path))

    def checked(self, samples: Tensor, field: Field, whose: str, *, to_be_clipped: bool = False) -> Tensor:
        """The same samples. whose: where they are from, for the message; to_be_clipped: whether numbers out of
        `bounds` are all right.

        Raises: GanzooError where they are no float (n, *unit_shape), not finite, or out of `bounds`.
        """
        shape = self.unit_shape(field.shape)
        if tuple(samples.shape[1:]) != shape or not samples.is_floating_point():
            raise GanzooError(
                f"{whose}: {tuple(samples.shape)} {str(samples.dtype).removeprefix('torch.')} are no {self.plural}.",
                remedy=f"They should be (n, {', '.join(map(str, shape))}), floating point.",
            )
        if not bool(samples.isfinite().all()):
            raise GanzooError(f"{whose}: some numbers are not finite.", remedy="Look at the run: has it diverged?")
        if self.bounds and len(samples) and not to_be_clipped:
            low, high = (end.item() for end in samples.aminmax())
            if low < self.bounds[0] - 1e-3 or high > self.bounds[1] + 1e-3:
                raise GanzooError(
                    f"{whose}: numbers from {low:.4g} to {high:.4g} are no {self.plural}.",
                    remedy=f"They should be from {self.bounds[0]:g} to {self.bounds[1]:g}.",
                )
        return samples

    def unknown(self, path: Path) -> GanzooError:
        """The mistake of an ending that this kind does not have."""
        return GanzooError(
            f'{path}: {self.plural} cannot be kept in "{path.suffix}" files.',
            remedy=f"Use {', '.join(self.endings)}, or .png for a picture of them.",
        )
