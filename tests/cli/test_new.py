"""`ganzoo new`: what it makes is whole as it is made, and what it cannot make it refuses."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.cli.new import DEFAULT_AUTHOR, GAME_ONLY, Names, compatible_versions, parse_name
from ganzoo.datasets import glyphs
from ganzoo.plugins import zoo

Captured = pytest.CaptureFixture[str]

WHOLE = {
    ".github/workflows/ci.yml",
    ".gitignore",
    "LICENSE",
    "README.md",
    "ganzoo_my_gan/__init__.py",
    "ganzoo_my_gan/game.py",
    "ganzoo_my_gan/networks.py",
    "ganzoo_my_gan/plugin.py",
    "ganzoo_my_gan/py.typed",
    "ganzoo_my_gan/recipes/my_gan_mnist.toml",
    "pyproject.toml",
    "tests/test_conformance.py",
    "tests/test_game.py",
    "tests/test_networks.py",
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    zoo.cache_clear()
    yield
    zoo.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("ganzoo_my_gan"):
            del sys.modules[name]


def made(folder: Path, *flags: str, name: str = "my-gan") -> Path:
    assert exit_status(["new", name, "--dir", str(folder), "--author", "Ada Alpha", *flags]) == 0
    return folder / "ganzoo-my-gan"


def files(package: Path) -> set[str]:
    return {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["my-gan", "My GAN", "ganzoo-my-gan", "ganzoo_my_gan", " my.gan ", "MY_gan"])
def test_one_name_however_written_becomes_the_names_of_everything(name: str) -> None:
    assert parse_name(name) == Names("ganzoo-my-gan", "ganzoo_my_gan", "my-gan", "my_gan_mnist")


def test_the_package_is_whole_and_a_game_only_comes_when_asked_for(tmp_path: Path, capsys: Captured) -> None:
    without = {path for path in WHOLE if Path(path).name not in GAME_ONLY}
    assert files(made(tmp_path / "plain")) == without
    said = capsys.readouterr().out
    for command in ("pip install -e ", "ganzoo check ganzoo-my-gan", "ganzoo run my_gan_mnist"):
        assert command in said
    assert files(made(tmp_path / "game", "--game")) == WHOLE


@pytest.mark.parametrize("flags", [(), ("--game",)], ids=["plain", "game"])
@pytest.mark.parametrize("name", ["g", "a-name-of-forty-letters-is-the-longest-4"], ids=["short", "long"])
def test_it_is_clean_to_the_linter_and_the_formatter_whatever_its_name(
    tmp_path: Path, name: str, flags: tuple[str, ...]
) -> None:
    assert exit_status(["new", name, "--dir", str(tmp_path), "--author", "A" * 80, *flags]) == 0
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", tmp_path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_metadata_say_who_what_and_which_ganzoo(tmp_path: Path) -> None:
    package = made(tmp_path, "--description", 'A "quoted" \\ GAN')
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["version"]) == ("ganzoo-my-gan", "0.1.0")
    assert project["authors"] == [{"name": "Ada Alpha"}]
    assert project["description"] == 'A "quoted" \\ GAN'
    assert project["entry-points"] == {"ganzoo": {"ganzoo_my_gan": "ganzoo_my_gan.plugin"}}
    [needed] = [Requirement(line) for line in project["dependencies"]]
    assert needed.name == "ganzoo"
    assert needed.specifier.contains(ganzoo.__version__)
    assert "Ada Alpha" in (package / "LICENSE").read_text()
    assert "${{ matrix.python }}" in (package / ".github/workflows/ci.yml").read_text()


@pytest.mark.parametrize(
    ("version", "range_"), [("0.1.0", ">=0.1,<0.2"), ("0.12.3", ">=0.12,<0.13"), ("1.4.0", ">=1.4,<2")]
)
def test_a_plugin_asks_for_the_ganzoo_whose_promises_it_was_written_under(version: str, range_: str) -> None:
    assert compatible_versions(version) == range_


def test_gits_name_is_the_author_and_a_placeholder_is_said(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Bo Beta\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert exit_status(["new", "anonymous"]) == 0
    assert DEFAULT_AUTHOR in capsys.readouterr().out
    assert DEFAULT_AUTHOR in (tmp_path / "ganzoo-anonymous" / "LICENSE").read_text()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    assert exit_status(["new", "signed"]) == 0
    assert DEFAULT_AUTHOR not in capsys.readouterr().out
    assert "Bo Beta" in (tmp_path / "ganzoo-signed" / "LICENSE").read_text()


@pytest.mark.parametrize("flags", [(), ("--game",)], ids=["plain", "game"])
def test_installed_it_stands_on_the_shelves_and_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    package = made(tmp_path, *flags)
    info = package / "ganzoo_my_gan-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: ganzoo-my-gan\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[ganzoo]\nganzoo_my_gan = ganzoo_my_gan.plugin\n")
    monkeypatch.syspath_prepend(package)
    importlib.invalidate_caches()
    zoo.cache_clear()
    for shelf in ("generator", "discriminator", *(["game"] if flags else [])):
        assert zoo().find(shelf, "my-gan").distribution == "ganzoo-my-gan"

    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(glyphs, "SIZES", {"train": 128, "test": 16})
    run = ganzoo.train(
        "my_gan_mnist",
        steps=3,
        train__batch_size=8,
        data_root=tmp_path,  # there is no MNIST, and its fallback plays
        out=tmp_path / "run",
        device="cpu",
        quiet=True,
    )
    assert (run.status, run.facts["step"]) == ("finished", 3)
    assert run.sample(4).shape == (4, 1, 28, 28)
    assert run.recipe.game.entry.name == ("my-gan" if flags else "two-player")


def test_registration_imports_no_torch(tmp_path: Path) -> None:
    package = made(tmp_path, "--game")
    probe = "import sys, ganzoo_my_gan.plugin as p; p.ganzoo_components(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], cwd=package, check=False).returncode == 0


def test_every_public_thing_in_it_has_a_docstring_to_learn_from(tmp_path: Path) -> None:
    for path in (made(tmp_path, "--game") / "ganzoo_my_gan").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
                and getattr(node, "name", "") != "__init__"
            ):
                assert ast.get_docstring(node), f"{path.name}: {getattr(node, 'name', 'module')}"


BAD = {
    "nothing": ("", "leaves nothing"),
    "blanks": ("  ", "leaves nothing"),
    "only the prefix": ("ganzoo", "leaves nothing"),
    "only signs": ("-_-", "leaves nothing"),
    "a path": ("a/b", "a-b."),
    "a letter beyond ASCII": ("Müller GAN", "muller-gan."),
    "no letter in ASCII at all": ("对抗", "my-gan."),
    "too long": ("x" * 41, "40 at most"),
    "a shelf": ("loss", "means something else"),
    "a module of Python's": ("json", "module of Python's own"),
    "an installed package": ("torch", "distribution torch"),
    "an installed plugin": ("vanilla", "distribution ganzoo-vanilla"),
    "a generator on the shelf": ("mlp", 'generator "mlp" is on the shelf already, from ganzoo-vanilla'),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_name_that_will_not_do_is_refused_with_what_to_write(kind: str, tmp_path: Path, capsys: Captured) -> None:
    name, said = BAD[kind]
    assert exit_status(["new", "--dir", str(tmp_path), "--", name]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 2  # what, and what now
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["a folder with something in it", "a file"])
def test_what_is_there_is_never_written_over(there: str, tmp_path: Path, capsys: Captured) -> None:
    target = tmp_path / "ganzoo-my-gan"
    if there == "a file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert exit_status(["new", "my-gan", "--dir", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "ganzoo-my-gan").mkdir()
    assert (made(tmp_path) / "pyproject.toml").is_file()


@pytest.mark.parametrize("flag", ["--author", "--description"])
def test_text_of_several_lines_is_refused(flag: str, tmp_path: Path, capsys: Captured) -> None:
    assert exit_status(["new", "my-gan", "--dir", str(tmp_path), flag, "one\ntwo"]) == 2
    assert flag in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
