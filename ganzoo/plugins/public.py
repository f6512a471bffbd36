"""What of ganzoo a plugin may import. docs/plugins.md says the same, with what is promised of it."""

from __future__ import annotations

from typing import Final

PUBLIC: Final = (
    "ganzoo",
    "ganzoo.errors",
    "ganzoo.testing",
)
"""Modules whose names without a leading underscore are public; of `ganzoo` itself those in `__all__`."""
