"""The modules of ganzoo that a plugin may import. docs/plugins.md states the compatibility promise for them."""

from __future__ import annotations

from typing import Final

PUBLIC: Final = (
    "ganzoo",
    "ganzoo.errors",
    "ganzoo.testing",
)
"""Modules whose names without a leading underscore are public; in `ganzoo` itself, those in `__all__`."""
