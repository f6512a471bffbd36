"""The folders for data sets and for ganzoo's cache on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def data_root(given: str | Path | None = None) -> Path:
    """The folder that holds all data sets: `given` (--data-root), else GANZOO_DATA, else ganzoo's cache."""
    named = given or os.environ.get("GANZOO_DATA")
    return with_home(named) if named else cache_folder() / "data"


def cache_folder() -> Path:
    """The folder for files that ganzoo generates or downloads: GANZOO_CACHE, else the user's cache folder."""
    named = os.environ.get("GANZOO_CACHE")
    return with_home(named) if named else user_cache_path("ganzoo", appauthor=False)


def with_home(path: str | Path) -> Path:
    """The path with "~" as the home directory; as it is, which a shell does too, where no such home is known."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path's raises RuntimeError
