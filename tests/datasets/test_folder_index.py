"""A folder's index: complete, in order, small, and never believed where the folder has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ganzoo.datasets import folder_index
from ganzoo.datasets.files import listing_digest
from ganzoo.datasets.folder_index import Index, index_of
from ganzoo.datasets.image_files import list_images
from ganzoo.errors import DatasetError

NAMES = ("b/2.png", "b/10.png", "b/c/1.png", "b.d/1.png", "a.png", "a-1.png", "Z.PNG", "grün/é.png", ".hidden.png")


def save(path: Path, size: tuple[int, int] = (16, 12), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)


def settle(top: Path) -> None:
    """Makes it long ago that anything changed here."""
    for place in (top, *top.rglob("*")):
        if place.is_dir():
            os.utime(place, (1e9, 1e9))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that counts as large, with a cache of its own."""
    monkeypatch.setattr(folder_index, "MIN_CACHED_IMAGES", 5)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate(NAMES):
        save(tmp_path / "set" / name, (16, 12 + number % 2), "L" if number % 3 else "RGB")
    (tmp_path / "set" / "b" / "notes.txt").write_text("not a picture")
    settle(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many headers were read, each time that any were."""
    counts: list[int] = []
    read_headers: Callable[..., Index] = folder_index.read_headers

    def counting(files: list[Path], others: int) -> Index:
        counts.append(len(files))
        return read_headers(files, others)

    monkeypatch.setattr(folder_index, "read_headers", counting)
    return counts


def paths(index: Index) -> list[Path]:
    return [index.files[number] for number in range(len(index.files))]


def test_every_image_is_found_in_the_order_that_runs_so_far_have_had(folder: Path) -> None:
    index = index_of(folder)
    assert (
        paths(index)
        == list_images(folder)
        == sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".png" and not path.name.startswith("."))
    )
    assert len(index.files) == len(NAMES) - 1
    assert index.left_out.counts == {"hidden image": 1, "file that is not an image": 1}
    assert index.files.sizes.tolist() == [path.stat().st_size for path in paths(index)]
    assert index.headers().modes == {"RGB": 3, "L": 5}


def test_a_large_folder_is_looked_at_once(folder: Path, looked: list[int]) -> None:
    before = sorted(folder.rglob("*"))
    first, second = index_of(folder), index_of(folder)
    assert looked == [len(NAMES) - 1]
    assert paths(first) == paths(second)
    assert first.headers() == second.headers()
    assert listing_digest("", [first.files]) == listing_digest("", [second.files])
    assert sorted(folder.rglob("*")) == before, "the index is not kept beside the data"


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "folder"])
def test_a_folder_that_has_changed_is_looked_at_again(folder: Path, looked: list[int], change: str) -> None:
    index_of(folder)
    match change:
        case "added":
            save(folder / "b" / "c" / "new.png")
        case "removed":
            (folder / "b" / "c" / "1.png").unlink()
        case "renamed":
            (folder / "b" / "c" / "1.png").rename(folder / "b" / "c" / "one.png")
        case "folder":
            (folder / "b" / "c" / "1.png").unlink()
            (folder / "b" / "c").rmdir()
    assert paths(index_of(folder)) == list_images(folder)
    assert len(looked) == 2


def test_a_folder_that_is_changing_is_not_kept(folder: Path, looked: list[int]) -> None:
    save(folder / "b" / "new.png")  # just now: the next change may have the same time
    index_of(folder)
    index_of(folder)
    assert looked == [len(NAMES)] * 2


def test_a_damaged_index_is_made_anew(folder: Path, looked: list[int], tmp_path: Path) -> None:
    index_of(folder)
    (kept,) = (tmp_path / "cache").rglob("*.safetensors")
    content = bytearray(kept.read_bytes())
    content[-9] ^= 1
    kept.write_bytes(content)
    assert paths(index_of(folder)) == list_images(folder)
    assert len(looked) == 2


def test_a_small_folder_leaves_nothing_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    save(tmp_path / "set" / "1.png")
    settle(tmp_path / "set")
    index_of(tmp_path / "set")
    assert not (tmp_path / "cache").exists()


def test_files_that_are_no_images_are_named_every_time(folder: Path) -> None:
    (folder / "b" / "broken.png").write_text("hello")
    settle(folder)
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"1 files are not the images(.|\n)*broken\.png"):
            index_of(folder)


def test_the_listing_says_whether_it_is_the_same_folder_wherever_it_lies(folder: Path) -> None:
    def digest() -> str:
        return listing_digest("", [index_of(folder).files])

    before = digest()
    elsewhere = folder.rename(folder.parent / "moved")
    assert listing_digest("", [index_of(elsewhere).files]) == before
    folder = elsewhere
    (folder / "b" / "2.png").rename(folder / "b" / "3.png")
    renamed = digest()
    with (folder / "a.png").open("ab") as file:
        file.write(b"\0")
    (folder / "passing.txt").write_text("what is overwritten in place is seen when its folder is looked at again")
    assert len({before, renamed, digest()}) == 3


def test_a_subset_lists_its_own_files_alone(folder: Path) -> None:
    files = index_of(folder).files
    some = files.take([2, 0])
    assert [some[0], some[1]] == [files[2], files[0]]
    assert listing_digest("", [some]) != listing_digest("", [files])
    assert listing_digest("", [files.take(slice(None))]) == listing_digest("", [files])


def test_an_unreadable_folder_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ganzoo.datasets.files.os.scandir", refuse)
    with pytest.raises(DatasetError, match="Permission denied"):
        index_of(folder)
