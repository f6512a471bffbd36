"""What fails inside of a plugin is said with the plugin's own line, and never with one of ganzoo, torch or Python."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import RecipeError
from ganzoo.plugins import error_location, zoo

Captured = pytest.CaptureFixture[str]

PLUGIN = """\
from ganzoo import Component, hookimpl


@hookimpl
def ganzoo_components():
    return [
        Component("generator", "mine", "third_mine.networks:Mine"),
        Component("loss", "broken", "third_mine.broken:Loss"),
        Component("dataset", "mine", "third_mine.data:Points"),
    ]


@hookimpl
def ganzoo_run_finished(run):
    raise LookupError("no tracker")
"""

NETWORKS = """\
import torch
from ganzoo import Generator


class Mine(Generator):
    def __init__(self, sample_shape: tuple[int, ...], *, latent_dim: int = 4, width: int = 3):
        super().__init__()
        self.latent_dim = latent_dim
        self.layer = torch.nn.Linear(width, sample_shape[0])

    def forward(self, latents):
        return self.layer(latents)
"""

DATA = """\
import json
from pathlib import Path
from ganzoo import Dataset, DatasetInfo, Field
from third_library import read


class Points(Dataset):
    def __init__(self, *, reads: str = "json"):
        self.reads = reads

    def info(self, root):
        return DatasetInfo(fields={"real": Field((2,), "float32")}, size=100, kind="point")

    def load(self, root, split="train"):
        if self.reads == "file":
            Path("no such file").read_text()
        if self.reads == "second module":
            import third_second
        return json.loads("{") if self.reads == "json" else read()
"""

LIBRARY = """\
def read():
    raise EOFError("cut off")
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A plugin, and a library of somebody else's that it uses, as an installer lays them out."""
    site = tmp_path / "site"
    package = site / "third_mine"
    package.mkdir(parents=True)
    files = {"__init__": "", "plugin": PLUGIN, "networks": NETWORKS, "data": DATA, "broken": "import json\n\n1 / 0\n"}
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    (site / "third_library.py").write_text(LIBRARY)
    (site / "third_second.py").write_text("1 / 0\n")
    for name in ("third_mine", "third_library"):
        info = site / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (site / "third_mine-1.2.dist-info" / "entry_points.txt").write_text("[ganzoo]\nthird_mine = third_mine.plugin\n")
    (site / "third_mine-1.2.dist-info" / "RECORD").write_text("third_mine/plugin.py,,\nthird_second.py,,\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    zoo.cache_clear()
    yield site
    zoo.cache_clear()
    for name in [name for name in sys.modules if name.startswith("third_")]:
        del sys.modules[name]


@pytest.fixture
def recipe(tmp_path: Path, plugin: Path, small_recipe: Callable[[Path, str], Path]) -> Path:
    return small_recipe(tmp_path / "mine.toml", '[dataset]\nname = "mine"\n')


def run(recipe: Path, *settings: str) -> int:
    overrides = [word for setting in settings for word in ("--set", setting)]
    return exit_status(["run", str(recipe), "--out", "run", "--device", "cpu", "--quiet", *overrides])


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ("json", "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1) "
                 "(third_mine/data.py, line 19, in load)"),
        ("library", "EOFError: cut off (third_mine/data.py, line 19, in load)"),
        ("file", "no such file: No such file or directory (third_mine/data.py, line 16, in load)"),
        ("second module", "ZeroDivisionError: division by zero (third_second.py, line 1)"),
    ],
)  # fmt: skip
def test_what_a_plugin_lets_through_is_said_with_its_own_line(
    reads: str, said: str, recipe: Path, capsys: Captured
) -> None:
    assert run(recipe, f"dataset.reads={reads}") == 1
    assert capsys.readouterr().err.lstrip().splitlines()[0] == f"error: {said}"
    assert not Path("run").exists()


def test_what_does_not_fit_is_said_with_the_networks_line_and_not_with_torchs(recipe: Path) -> None:
    replaced = {"generator__name": "mine", "dataset__name": "gaussians"}
    with pytest.raises(RecipeError) as caught:
        ganzoo.train(recipe, quiet=True, **replaced)
    [problem] = caught.value.problems
    assert problem.what.endswith("(third_mine/networks.py, line 12, in forward).")
    assert "torch/" not in problem.what


def test_a_module_that_fails_at_import_is_said_with_its_line(recipe: Path, capsys: Captured) -> None:
    assert run(recipe, "loss.name=broken") == 2
    said = capsys.readouterr().err
    assert "from third_mine.broken:Loss: ZeroDivisionError: division by zero (third_mine/broken.py, line 3)" in said


def test_a_listener_that_fails_is_said_with_its_line(recipe: Path) -> None:
    with pytest.warns(UserWarning, match=r"LookupError: no tracker \(third_mine/plugin.py, line 15, in ganzoo_run_f"):
        ganzoo.train(recipe, dataset__name="gaussians", quiet=True, device="cpu", out="run")


@pytest.mark.usefixtures("plugin")
def test_a_users_own_file_counts_as_a_plugins_does() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        said = error_location(error)
    assert said.startswith(" (tests/plugins/test_plugin_frame.py, line ")
    assert said.endswith(", in test_a_users_own_file_counts_as_a_plugins_does)")


def test_the_exception_that_another_was_raised_from_is_looked_at_too() -> None:
    try:
        try:
            json.loads("{")
        except ValueError as error:
            again = RuntimeError("reading failed")
            again.__cause__ = error
    finally:
        assert "in test_the_exception_that_another" in error_location(again)


def test_where_no_plugin_is_on_the_way_no_line_is_said() -> None:
    assert error_location(ZeroDivisionError()) == ""
