"""The kinds of a data set's fields: what is stored by each key of a batch, to what networks see, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ganzoo.core.data import DatasetInfo, Field, Shape
from ganzoo.errors import DatasetError, GanzooError
from ganzoo.plugins import contained, error_location, error_text, zoo
from ganzoo.recipe.namesakes import engines

if TYPE_CHECKING:
    from ganzoo import Kind


class FieldKinds:
    """Every field of a data set with its kind; fields of plain numbers, such as labels, have none.

    Raises: PluginError where a kind is on no shelf, DatasetError where it refuses the data set's details.
    """

    def __init__(self, info: DatasetInfo) -> None:
        self.info = info
        made = {name: build_kind(name, info) for name in dict.fromkeys(map(info.kind_of, info.gives)) if name}
        self.kinds: Mapping[str, Kind | None] = {key: made.get(info.kind_of(key)) for key in info.gives}

    @property
    def sample(self) -> Kind:
        """The kind of the samples."""
        kind = self.kinds[self.info.sample_key]
        if kind is None:
            raise DatasetError(f"the data set gives no samples: its fields are {', '.join(self.info.gives)}.")
        return kind

    @property
    def sample_field(self) -> Field:
        """How the samples are stored."""
        return self.info.fields[self.info.sample_key]

    def unit_shape(self, key: str) -> Shape:
        """The shape of what networks see by that key, without the batch."""
        kind, field = self.kinds[key], self.info.fields[key]
        return field.shape if kind is None else kind.unit_shape(field.shape)

    def to_unit(self, key: str, stored: Tensor) -> Tensor:
        """Examples (n, *shape) as stored -> as networks see them. Masks become float32 0 and 1; labels stay."""
        kind = self.kinds[key]
        if kind is not None:
            return kind.to_unit(stored)
        return stored.float() if self.info.fields[key].role == "mask" else stored

    def stored(self, samples: Tensor) -> Tensor:
        """Samples (n, *unit_shape) as networks make them -> as the data set stores them."""
        return self.sample.from_unit(samples, self.sample_field)

    def generated(self, samples: Tensor) -> Tensor:
        """As `stored`, for samples that a game made.

        Raises: GanzooError where they are of another shape or no floating point, not finite, or out of the bounds of a
        kind that does not clip.
        """
        kind, field = self.sample, self.sample_field
        clipped = kind.clips and not field.torch_dtype.is_floating_point
        return self.stored(kind.checked(samples, field, "generated samples", to_be_clipped=clipped))


def build_kind(name: str, info: DatasetInfo) -> Kind:
    """The kind of that name, with the data set's details where it is the kind of its samples."""
    constructor: Any = zoo().resolve(zoo().find("kind", name, prefer=engines))
    try:
        with contained():
            kind: Kind = constructor(**(info.details if name == info.kind else {}))
    except GanzooError:
        raise
    except Exception as error:
        raise DatasetError(
            f'the kind "{name}" refuses the details {dict(info.details)}: {error_text(error)}{error_location(error)}.'
        ) from error
    return kind
