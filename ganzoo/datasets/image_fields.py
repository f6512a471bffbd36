"""How the images of a folder are stored, from their headers and the options of the data set."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Interval

from ganzoo.core.data import Field, Role
from ganzoo.datasets.folder_index import Headers

Channels: TypeAlias = Literal[1, 2, 3, 4]
"""Grey, grey and alpha, colours, colours and alpha."""

Depth: TypeAlias = Literal[8, 16]
"""Bits a channel."""

MaxPixels: TypeAlias = Annotated[int, Interval(ge=1, le=2**31)]
"""The most pixels of one file."""


def image_field(
    headers: Headers, height: int, width: int, channels: Channels | None, depth: Depth | None, role: Role = "sample"
) -> Field:
    """The field of images with these headers. channels, depth: None to take those of the files."""
    dtype = f"uint{depth}" if depth else headers.dtype
    return Field((channels or headers.channels, height, width), dtype, role)


def kind_details(field: Field) -> dict[str, Any]:
    """The options of the kind "image" for images of this field."""
    return {"alpha": True} if field.shape[0] in (2, 4) else {}


def storage_format(field: Field) -> object:
    """The part of a checksum that is not from the files: the images' shape, and their dtype where it is not uint8."""
    return field.shape if field.dtype == "uint8" else (field.shape, field.dtype)
