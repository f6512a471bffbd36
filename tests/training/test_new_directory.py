"""Two runs that begin at once do not get into each other's directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.errors import RunError
from ganzoo.training import launch

Write = Callable[[Path, str], Path]


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The directory that another run has begun, right before this one begins in it."""
    chosen: list[Path] = []
    choose, facts = launch._new_directory, launch.facts_of

    def choosing(*arguments: Any) -> Path:
        chosen.append(choose(*arguments))
        return chosen[-1]

    def first(*arguments: Any) -> dict[str, Any]:
        chosen[0].mkdir(parents=True, exist_ok=True)
        (chosen[0] / "run.json").write_text("another's")
        return facts(*arguments)

    monkeypatch.setattr(launch, "_new_directory", choosing)
    monkeypatch.setattr(launch, "facts_of", first)
    return chosen


def test_one_of_two_that_begin_in_the_same_second_takes_the_next_name(
    tmp_path: Path, small_recipe: Write, other: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(tmp_path / "small.toml", "")
    monkeypatch.chdir(tmp_path)
    run = ganzoo.train(recipe, quiet=True)
    assert (run.status, run.directory != other[0]) == ("finished", True)
    assert (other[0] / "run.json").read_text() == "another's"
    assert len(list(Path("runs").iterdir())) == 2


def test_the_second_of_two_with_one_out_is_refused(tmp_path: Path, small_recipe: Write, other: list[Path]) -> None:
    recipe = small_recipe(tmp_path / "small.toml", "")
    with pytest.raises(RunError, match="exists already and holds something else"):
        ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["points.toml", "run", "small.toml"]
