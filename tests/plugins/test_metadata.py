"""Records of plugins from anywhere: what is wrong with one is a row of `ganzoo list plugins`, and the rest works."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import PathDistribution
from pathlib import Path
from subprocess import run

import pytest

from ganzoo.plugins.builtin import shipped_recipes
from ganzoo.plugins.components import Component
from ganzoo.plugins.discovery import find_candidates

METADATA = b"Metadata-Version: 2.1\nName: ganzoo-odd\nVersion: 1.0\n"
ENTRY = b"[ganzoo]\nodd = ganzoo_odd\n"
MODULE = """
import ganzoo
@ganzoo.hookimpl
def ganzoo_components():
    return [ganzoo.Component("loss", "odd", "ganzoo.core.losses:Hinge")]
"""

Listed = Callable[..., dict[str, str]]


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    """Installs a plugin with these records in a Python of its own, and returns its row of `ganzoo list plugins`."""

    def install(metadata: bytes = METADATA, entry: bytes = ENTRY, module: str = MODULE) -> dict[str, str]:
        info = tmp_path / "ganzoo_odd-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_bytes(metadata)
        (info / "entry_points.txt").write_bytes(entry)
        (tmp_path / "ganzoo_odd.py").write_text(module)
        path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(tmp_path)])
        command = [sys.executable, "-m", "ganzoo", "list", "plugins", "--json"]
        found = run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, timeout=100, check=False)
        assert found.returncode == 0, found.stderr.decode()
        rows = json.loads(found.stdout)["plugins"]
        assert [row["status"] for row in rows if row["name"] == "ganzoo"] == ["ok"]
        (row,) = (row for row in rows if row["distribution"] == "ganzoo-odd" or "odd" in row["name"] + row["cause"])
        return row  # type: ignore[no-any-return]

    return install


def test_a_sound_one_is_listed(listed: Listed) -> None:
    assert listed()["status"] == "ok"


WRONG = {
    "an entry point without a value": ({"entry": b"[ganzoo]\nodd = \n"}, "its entry point is not package.module"),
    "an entry point that is a sentence": ({"entry": b"[ganzoo]\nodd = import os; odd\n"}, "its entry point is not"),
    "a path in it": ({"entry": b"[ganzoo]\nodd = ../odd:x\n"}, "its entry point is not package.module"),
    "entry points that are no table": ({"entry": b"[ganzoo]\nodd\n= =\n[[["}, "entry_points.txt cannot be read"),
    "entry points of odd bytes": ({"entry": b"[ganzoo]\n\xff\xfe = odd\n"}, "entry_points.txt cannot be read"),
    "a name with an escape": ({"entry": b"[ganzoo]\nodd\x1b[31m = ganzoo_odd\n"}, "the name of its entry point"),
    "a long name": ({"entry": b"[ganzoo]\n" + b"odd" * 900 + b" = ganzoo_odd\n"}, "the name of its entry point"),
    "20,000 entry points": (
        {"entry": b"[ganzoo]\n" + b"".join(b"odd%d = ganzoo_odd\n" % n for n in range(20_000))},
        "it has 20,000 entry points in the group ganzoo, and at most 100 are read",
    ),
    "a version with an escape": (
        {"metadata": METADATA.replace(b"1.0", b"\x1b]0;title\x07")},
        "its version cannot be used",
    ),
    "a version of a megabyte": ({"metadata": METADATA.replace(b"1.0", b"1" * 10**6)}, "its version cannot be used"),
    "a distribution's name with an escape": (
        {"metadata": METADATA.replace(b"ganzoo-odd", b"ganzoo-\x1b[31m")},
        "its name cannot be used",
    ),
    "metadata of odd bytes": ({"metadata": METADATA + b"Summary: \xff\xfe\n"}, "METADATA of its distribution"),
    "a component with an escape": (
        {"module": MODULE.replace('"odd", "', '"odd", "').replace('Hinge")', 'Hinge", "\\x1b[31mred")')},
        "a component's summary is text without control characters",
    ),
    "a component with half a character": (
        {"module": MODULE.replace('Hinge")', 'Hinge", "\\udc80")')},
        "a component's summary is text without control characters",
    ),
    "a component's name of a megabyte": (
        {"module": MODULE.replace('"odd", "', '"o" * 1_000_000, "')},
        "a component's name has at most 100 characters",
    ),
    "components without an end": (
        {
            "module": MODULE.replace("return [", "import itertools\n    return (").replace(
                "Hinge\")]", 'Hinge") for n in itertools.count())'
            ).replace('"odd"', 'f"odd-{n}"')
        },
        "more than 10,000 components",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_record_is_a_row_with_its_problem(what: str, listed: Listed) -> None:
    records, cause = WRONG[what]
    row = listed(**records)
    assert row["status"] == "broken"
    assert cause in row["cause"]
    assert len(row["cause"]) < 2_000
    assert "\x1b" not in str(row)


def test_long_and_folded_metadata_are_kept_short_and_on_one_line(listed: Listed) -> None:
    row = listed(metadata=METADATA + b"Summary: two\n  lines\nAuthor: " + b"a" * 10**6 + b"\n")
    assert row["status"] == "ok"
    assert row["summary"] == "two lines"
    assert len(row["author"]) <= 1_000


def test_a_summary_may_have_line_ends_and_letters_of_any_language() -> None:
    assert Component("loss", "x", "a:b", "Verlust,\n  生成对抗网络").summary


def test_a_distribution_without_metadata_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ganzoo_odd-1.0.dist-info").mkdir()
    (tmp_path / "ganzoo_odd-1.0.dist-info" / "entry_points.txt").write_bytes(ENTRY)
    monkeypatch.setattr(
        "ganzoo.plugins.discovery.distributions", lambda: [PathDistribution(tmp_path / "ganzoo_odd-1.0.dist-info")]
    )
    ((candidate,),) = find_candidates()
    assert candidate.metadata_error


def test_what_lies_among_the_shipped_recipes_and_is_none_does_no_harm(tmp_path: Path) -> None:
    """A file called "copy of mine.toml" took every component of the engine away."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "good.toml").write_text('description = "good"')
    (folder / "copy of good.toml").write_text('description = "good"')
    (folder / "deep.toml").write_text("a = " + "[" * 100_000)
    (folder / "bytes.toml").write_bytes(b"\xff\xfe")
    (folder / "escape.toml").write_text('description = "\\u001b[31mred"')
    (folder / "large.toml").touch()
    os.truncate(folder / "large.toml", 20 * 2**30)
    os.mkfifo(folder / "pipe.toml")
    (folder / "folder.toml").mkdir()
    found = {component.name: component.summary for component in shipped_recipes(tmp_path)}
    assert list(found) == ["bytes", "deep", "escape", "good", "large"]
    assert found["good"] == "good"
    assert found["large"] == "cannot be read: it is larger than 1 MiB"
    assert "\x1b" not in found["escape"]
