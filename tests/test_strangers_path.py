"""The whole way of a third party, from `ganzoo new` to a plugin uninstalled without trace, with the ganzoo wheel alone.

`pytest -m slow tests/test_strangers_path.py` takes two to four minutes. The environment sees what ganzoo depends on,
and nothing of this checkout. For the same with everything fresh (5 GB from an index): make a virtual environment,
install the wheel and `build` into it, and type the commands below.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def shelves(stranger: Any) -> dict[str, list[dict[str, Any]]]:
    """What `ganzoo list --json` prints."""
    listed: dict[str, list[dict[str, Any]]] = json.loads(stranger.run("ganzoo", "list", "--json").stdout)
    return listed


def installed_files(stranger: Any) -> set[Path]:
    return {path for path in stranger.purelib.rglob("*") if path.is_file()}


def test_a_plugin_is_made_built_installed_checked_trained_and_uninstalled_without_trace(
    stranger: Any, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    where = stranger.run("python", "-c", "import ganzoo; print(ganzoo.__file__)", cwd=work).stdout
    assert Path(where.strip()).is_relative_to(stranger.purelib)  # the wheel's, and not the checkout's
    empty = shelves(stranger)
    assert empty["generators"] == []
    assert [row["name"] for row in empty["plugins"]] == ["ganzoo"]

    stranger.run("ganzoo", "new", "My GAN", "--game", "--author", "A Stranger", cwd=work)
    project = work / "ganzoo-my-gan"
    stranger.run("python", "-m", "build", "--no-isolation", cwd=project)
    before = installed_files(stranger)
    [wheel] = (project / "dist").glob("*.whl")
    stranger.run("python", "-m", "pip", "install", "--quiet", wheel, cwd=work)

    listed = shelves(stranger)
    [plugin] = [row for row in listed["plugins"] if row["name"] == "ganzoo_my_gan"]
    assert (plugin["status"], plugin["version"], plugin["author"]) == ("ok", "0.1.0", "A Stranger")
    for shelf in ("generators", "discriminators", "games"):
        assert [row["distribution"] for row in listed[shelf] if row["name"] == "my-gan"] == ["ganzoo-my-gan"]
    stranger.run("ganzoo", "check", "ganzoo-my-gan", cwd=work)
    stranger.run("python", "-m", "pytest", "-q", cwd=project)
    for linter in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        stranger.run("python", "-m", *linter, cwd=project)

    stranger.run("ganzoo", "run", "my_gan_mnist", "--steps", 12, "--out", "first", "--device", "cpu", cwd=work)
    stranger.run("ganzoo", "sample", "first", "-n", 4, "-o", "first.png", cwd=work)
    stranger.run("ganzoo", "resume", "first", "--steps", 15, "--device", "cpu", cwd=work)
    facts = json.loads((work / "first" / "run.json").read_text())
    assert (facts["status"], facts["step"], facts["plugins"]["ganzoo-my-gan"]) == ("finished", 15, "0.1.0")

    stranger.run("python", "-m", "pip", "uninstall", "--quiet", "--yes", "ganzoo-my-gan", cwd=work)
    assert shelves(stranger) == empty
    assert installed_files(stranger) == before
    assert not [path for path in stranger.purelib.iterdir() if "my_gan" in path.name]
    stranger.run("ganzoo", "show", "hinge", cwd=work)  # everything else works on
    for command in (["resume", "first", "--steps", "20"], ["sample", "first", "-o", "more.png"]):
        gone = stranger.run("ganzoo", *command, cwd=work, ok=False)
        assert gone.returncode == 2
        assert "pip install ganzoo-my-gan==0.1.0" in gone.stderr
    unknown = stranger.run("ganzoo", "run", "my_gan_mnist", cwd=work, ok=False)
    assert unknown.returncode == 2
    assert "my_gan_mnist" in unknown.stderr
