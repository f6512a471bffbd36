"""What keeps the promise honest that a first-party plugin has no private door, and that a plugin costs little."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from ganzoo.plugins import zoo
from ganzoo.plugins.public import PUBLIC

REPOSITORY = Path(__file__).parent.parent
ENGINE = REPOSITORY / "ganzoo"
FAMILIES = {
    tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"]: file.parent
    for file in sorted((REPOSITORY / "plugins").glob("*/pyproject.toml"))
}
"""A first-party plugin's distribution -> its folder."""

MODELS = {"vanilla", "dcgan", "lsgan", "wgan", "sngan", "cgan", "acgan", "infogan", "pix2pix", "cyclegan", "stylegan"}
"""Families that stand in plugins/ or may one day."""

PLAIN_WORDS = {"patch"}
"""Names on the shelves that are words of the trade as well."""


def packages() -> list[Path]:
    """Every Python file that a first-party plugin ships."""
    return [file for folder in FAMILIES.values() for file in sorted(folder.glob("ganzoo_*/**/*.py"))]


def named(file: Path) -> str:
    return str(file.relative_to(REPOSITORY))


def reached(tree: ast.Module) -> Iterator[str]:
    """Everything of ganzoo that a file gets at, in full: "ganzoo.core.game.Move", whichever way it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"ganzoo(\.\w+)+", ast.unparse(node)):
            yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and re.fullmatch(r"ganzoo(\.\w+)+(:\w+)?", str(node.value)):
            yield str(node.value).replace(":", ".")  # what import_module or a component's target may be given


def private(name: str) -> bool:
    """Whether a name of ganzoo's, in full, is none that a plugin may use."""
    if name in PUBLIC or not re.match(r"ganzoo(\.|$)", name):
        return False
    home = max((module for module in PUBLIC if name.startswith(f"{module}.")), key=len)
    inside, module = name.removeprefix(f"{home}.").split(".")[0], import_module(home)
    return inside.startswith("_") or inside not in getattr(module, "__all__", dir(module))


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("from ganzoo import Component, Generator", []),
        ("import ganzoo.errors\nfrom ganzoo import Hinge, TwoPlayer", []),
        ("from ganzoo_mine.networks import N\nimport ganzoo_mine", []),
        ("from ganzoo.training.device_data import DeviceData", ["ganzoo.training.device_data.DeviceData"]),
        ("import ganzoo.training.launch", ["ganzoo.training.launch"]),
        ("from ganzoo import plugins", ["ganzoo.plugins"]),
        ("from ganzoo.errors import _scale", ["ganzoo.errors._scale"]),
        ("from ganzoo.core.losses import Hinge", ["ganzoo.core.losses.Hinge"]),
        ("from ganzoo.errors import nothing_of_the_kind", ["ganzoo.errors.nothing_of_the_kind"]),
        ("import ganzoo\nganzoo.parts.build()", ["ganzoo.parts.build", "ganzoo.parts"]),
        ("import_module('ganzoo.training.state')", ["ganzoo.training.state"]),
        ("Component('loss', 'x', 'ganzoo.datasets.atomic:new_folder')", ["ganzoo.datasets.atomic.new_folder"]),
    ],
)
def test_the_wall_is_seen_from_every_side(source: str, wrong: list[str]) -> None:
    assert [name for name in reached(ast.parse(source)) if private(name)] == wrong


@pytest.mark.parametrize("file", packages(), ids=named)
def test_plugins_use_only_what_is_public(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert [name for name in reached(tree) if private(name)] == []


def test_what_is_public_is_there_and_stands_on_the_page() -> None:
    for module in PUBLIC:
        import_module(module)
    page = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
    table = page.partition("### What is public")[2].partition("\n#")[0]
    assert tuple(re.findall(r"^\| `(ganzoo[\w.]*)` \|", table, re.MULTILINE)) == PUBLIC


ROOMS = (
    "core",
    "plugins",
    "recipe",
    "datasets",
    "kinds",
    "runs",
    "display",
    "metrics",
    "training",
    "evaluation",
    "testing",
    "cli",
)
"""The rooms of the engine from the lowest up; each may import from those before it."""


def module_of(file: Path) -> str:
    """A file's name as an import has it: "ganzoo.core.game"."""
    return ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def imports_of(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """Every module of ganzoo that a file imports, inside functions and for types only included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("ganzoo"))
        elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("ganzoo")):
            assert not node.level, "the engine imports by full names"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in modules else str(node.module) for name in whole)


def upward(module: str, imported: str) -> bool:
    """Whether an import goes from a room to one above it; the public face, `from ganzoo import Run`, is in no room."""
    parts = imported.split(".")
    if len(parts) == 1 or parts[1] not in ROOMS:
        return False
    return ROOMS.index(parts[1]) > ROOMS.index(module.split(".")[1])


def test_an_import_that_runs_upwards_is_seen() -> None:
    modules = {"ganzoo.runs.run", "ganzoo.core.game"}
    source = "if TYPE_CHECKING:\n    from ganzoo.runs import run\ndef f():\n    from ganzoo.training.state import X"
    found = list(imports_of(ast.parse(source), modules))
    assert found == ["ganzoo.runs.run", "ganzoo.training.state"]
    assert [upward("ganzoo.datasets.x", name) for name in found] == [True, True]
    assert [upward("ganzoo.cli.x", name) for name in (*found, "ganzoo", "ganzoo.errors")] == [False] * 4


def test_no_import_of_the_engine_runs_upwards() -> None:
    """Type-only imports too: a room can be understood without those above it."""
    files = {module_of(file): file for file in ENGINE.rglob("*.py")}
    wrong = [
        f"{module} imports {imported}"
        for module, file in files.items()
        if module.count(".") and module.split(".")[1] in ROOMS
        for imported in imports_of(ast.parse(file.read_text(encoding="utf-8")), set(files))
        if upward(module, imported)
    ]
    assert wrong == []


def test_nothing_lies_beside_the_rooms() -> None:
    beside = {each.name for each in ENGINE.iterdir() if each.name != "__pycache__"}
    assert beside == {*ROOMS, "__init__.py", "__main__.py", "errors.py", "py.typed"}


def engine_files() -> list[Path]:
    return [file for file in sorted(ENGINE.rglob("*")) if file.is_file() and file.suffix != ".pyc"]


def test_the_engine_imports_no_plugin_and_names_none() -> None:
    """Neither a distribution nor a package of theirs, not even in prose or in the template."""
    families = "|".join(name.removeprefix("ganzoo-").replace("-", "[-_]") for name in FAMILIES)
    theirs = re.compile(rf"ganzoo[-_]({families})(?![a-z])", re.IGNORECASE)
    assert theirs.search("ganzoo_vanilla.networks")
    wrong = {named(file) for file in engine_files() if theirs.search(file.read_text(encoding="utf-8"))}
    assert wrong == set()


def test_no_models_name_appears_in_the_engines_code() -> None:
    """Docstrings and comments may cite the papers; names and strings may not know a model."""
    models = {
        entry.name
        for shelf in ("generator", "discriminator", "game")
        for entry in zoo().entries(shelf)
        if entry.distribution in FAMILIES
    }
    assert "mlp" in models
    words = sorted((models | MODELS) - PLAIN_WORDS)
    known = re.compile("|".join(rf"(?<![a-z]){re.escape(word)}(?![a-z])" for word in words), re.IGNORECASE)
    for file in engine_files():
        text = file.read_text(encoding="utf-8")
        for said in spoken(ast.parse(text)) if file.suffix == ".py" else [text]:
            assert not known.search(said), f"{named(file)}: {said!r}"


def spoken(tree: ast.Module) -> Iterator[str]:
    """The names and strings of a file, without its docstrings."""
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        for value in [node] if isinstance(node, ast.Constant) else vars(node).values():
            text = value.value if isinstance(value, ast.Constant) else value
            if isinstance(text, str) and id(value) not in prose:
                yield text


def lines_of_code(source: str) -> int:
    """Lines with something on them that is neither comment nor docstring."""
    bare = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    blank = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    filled = {line for t in tokens if t.type not in blank for line in range(t.start[0], t.end[0] + 1)}
    return len(filled - bare)


def test_lines_of_code_are_lines_of_code() -> None:
    head = '"""A\npage."""\n\n# why\nx = """two\nlines"""  # and why\n\n'
    assert lines_of_code(head + 'def f():\n    """Says."""\n    return (\n        1)\n') == 5


@pytest.mark.parametrize(
    ("distribution", "limit", "apart"),
    [
        ("ganzoo-vanilla", 120, ()),
        ("ganzoo-dcgan", 120, ()),
        ("ganzoo-wgan", 120, ()),
        ("ganzoo-cyclegan", 300, ("pix2pix.py",)),
    ],
)
def test_a_plugin_costs_few_lines(distribution: str, limit: int, apart: tuple[str, ...]) -> None:
    if distribution not in FAMILIES:
        pytest.skip(f"{distribution} is not in this checkout")
    files = [file for file in FAMILIES[distribution].glob("ganzoo_*/**/*.py") if file.name not in apart]
    counted = {file.name: lines_of_code(file.read_text(encoding="utf-8")) for file in files}
    assert 20 < sum(counted.values()) < limit, counted
