"""A plugin with kinds of samples of its own, installed as a stranger's would be."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganzoo.plugins import zoo

PLUGIN = Path(__file__).parent / "third_kinds"


@pytest.fixture(scope="module")
def third_kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The plugin's name: six kinds of its own and images of four channels, each with data, networks and a recipe."""
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(PLUGIN, site / "third_kinds", ignore=shutil.ignore_patterns("__pycache__"))
    info = site / "third_kinds-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: third-kinds\nVersion: 1.0\nRequires-Dist: ganzoo>=0.1,<0.2\n"
    )
    (info / "entry_points.txt").write_text("[ganzoo]\nthird_kinds = third_kinds.plugin\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("GANZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        importlib.invalidate_caches()
        zoo.cache_clear()
        yield "third_kinds"
    zoo.cache_clear()
    for module in [name for name in sys.modules if name.partition(".")[0] == "third_kinds"]:
        del sys.modules[module]
