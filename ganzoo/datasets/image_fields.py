"""How the images of a folder are stored: from what their headers say, and what is asked for."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from ganzoo.core.data import Field, Role
from ganzoo.datasets.folder_index import Headers

Channels: TypeAlias = Literal[1, 2, 3, 4]
"""Grey, grey and alpha, colours, colours and alpha."""

Depth: TypeAlias = Literal[8, 16]
"""Bits a channel."""


def field_of(
    headers: Headers, height: int, width: int, channels: Channels | None, depth: Depth | None, role: Role = "sample"
) -> Field:
    """How images with these headers are stored. channels, depth: None for those of the files."""
    dtype = f"uint{depth}" if depth else headers.dtype
    return Field((channels or headers.channels, height, width), dtype, role)


def kind_details(field: Field) -> dict[str, Any]:
    """What the kind "image" has to know of them."""
    return {"alpha": True} if field.shape[0] in (2, 4) else {}


def stored_form(field: Field) -> object:
    """What a checksum is over beside the files: the shape that images get, and their depth where it is not 8 bits."""
    return field.shape if field.dtype == "uint8" else (field.shape, field.dtype)
