"""Caches are for speed: none that cannot be had ends anything, and two processes may write one at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.datasets import folder_index
from ganzoo.datasets.cache import cached, read_cached
from ganzoo.datasets.folder_index import cached_index
from ganzoo.datasets.root import cache_folder, data_root
from ganzoo.errors import DatasetUnavailable

WRITE = """
import sys, torch
from ganzoo.datasets.cache import cached
for number in range(200):
    cached(f"some/{number}.safetensors", lambda: {"a": torch.full((1000,), float(number))})
"""


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that cannot be written: a file lies where its folder should."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "file" / "cache"))
    return cache_folder()


def test_what_cannot_be_cached_is_used_all_the_same(no_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cached("some.safetensors", lambda: {"a": torch.ones(2)})["a"].tolist() == [1, 1]
    said = capsys.readouterr().err
    assert said.startswith(f"warning: {no_cache / 'some.safetensors'}: cannot be written: Not a directory.")


def test_a_folder_whose_index_cannot_be_cached_is_read(
    no_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(folder_index, "MIN_CACHED_IMAGES", 1)
    monkeypatch.setattr(folder_index, "MIN_UNCHANGED_SECONDS", -60.0)
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "pictures" / "0.png")
    assert len(cached_index(tmp_path / "pictures").files) == 1
    assert "cannot be written: Not a directory" in capsys.readouterr().err


def test_a_cache_that_may_not_be_looked_into_counts_as_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", forbidden)
    assert read_cached(tmp_path / "some.safetensors") is None


def test_two_processes_fill_one_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    both = [subprocess.Popen([sys.executable, "-c", WRITE]) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == sorted(f"{n}.safetensors" for n in range(200))
    for number in range(200):
        found = read_cached(tmp_path / "some" / f"{number}.safetensors")
        assert found is not None
        assert found["a"][0] == number


def test_a_home_that_is_not_known_is_left_as_it_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANZOO_DATA", "~nobody-of-that-name/data")
    assert data_root() == Path("~nobody-of-that-name/data")
    recipe = ["dcgan_folder", "--set", "dataset.path=~nobody-of-that-name/pictures"]
    with pytest.raises(DatasetUnavailable, match="there is no folder ~nobody-of-that-name/pictures"):
        ganzoo.train(recipe[0], overrides=recipe[2:], out=tmp_path / "run", quiet=True, device="cpu")
