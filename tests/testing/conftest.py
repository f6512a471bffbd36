"""Installs copies of the plugins in this folder, whole or broken in one place, as distributions of their own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganzoo.plugins import zoo

HERE = Path(__file__).parent

Install = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a plugin of this folder under the name given, with (file, old, new) changes. Returns the name."""
    before = set(sys.modules)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    installed = []

    def write(
        name: str, *changes: tuple[str, str, str], requires: str = "ganzoo>=0.1,<0.2", source: str = "healthy"
    ) -> str:
        installed.append(name)
        package = site / name
        package.mkdir()
        for path in (HERE / source).iterdir():
            if not path.is_file():
                continue
            text = path.read_text()
            for file, old, new in changes:
                if file == path.stem:
                    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path.name}"
                    text = text.replace(old, new)
            (package / path.name).write_text(text.replace(source, name))
        info = site / f"ganzoo_{name}-1.0.dist-info"
        info.mkdir()
        required = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ganzoo-{name}\nVersion: 1.0\n{required}")
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{name} = {name}.plugin\n")
        importlib.invalidate_caches()
        zoo.cache_clear()
        return name

    yield write
    zoo.cache_clear()
    for module in set(sys.modules) - before:
        if module.partition(".")[0] in installed:
            del sys.modules[module]
