"""An exception of a plugin whose text cannot be had breaks no message: `error_text` gives the text of each."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ganzoo
from ganzoo.recipe.shape_errors import error_summary
from ganzoo.training import batch_sharing
from ganzoo.training.runners import compiled

ENGINE = Path(ganzoo.__file__).parent
BROAD = {"Exception", "BaseException", "RuntimeError"}
"""What components raise; narrower ones are of libraries that ganzoo calls itself."""


def broad_handlers(path: Path) -> Iterator[ast.ExceptHandler]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler) and node.type is not None and node.name and broad(node.type):
            yield node


def broad(caught: ast.expr) -> bool:
    return bool(BROAD & {each.id for each in ast.walk(caught) if isinstance(each, ast.Name)})


def prints_itself(node: ast.AST, name: str) -> bool:
    """Whether a node is `{error}` in an f-string, or `str(error)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
        return any(isinstance(each, ast.Name) and each.id == name for each in node.args)
    return isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name) and node.value.id == name


def test_no_message_has_the_text_of_a_foreign_error_but_by_error_text() -> None:
    found = [
        f"{path.relative_to(ENGINE.parent)}:{node.lineno}"
        for path in sorted(ENGINE.rglob("*.py"))
        if "template" not in path.parts and path.name != "containment.py"
        for handler in broad_handlers(path)
        for node in ast.walk(handler)
        if handler.name and prints_itself(node, handler.name)
    ]
    assert found == []


class Mute(RuntimeError):
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize("summary", [compiled.first_line, batch_sharing.first_line, error_summary])
def test_the_first_line_of_an_error_without_a_text_says_why_there_is_none(
    summary: Callable[[Exception], str],
) -> None:
    assert "its __str__ raises ValueError" in summary(Mute())
    assert summary(RuntimeError()) == "RuntimeError"
