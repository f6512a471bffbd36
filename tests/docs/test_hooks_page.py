"""docs/hooks.md is generated from ganzoo/plugins/hookspecs.py by `python tests/docs/test_hooks_page.py`."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from ganzoo.plugins import hookspecs

PAGE = Path(__file__).parent.parent.parent / "docs" / "hooks.md"

HEAD = """# Hooks

All hooks of ganzoo. This page is generated from [hookspecs.py](../ganzoo/plugins/hookspecs.py) by
`python tests/docs/test_hooks_page.py`, and a test keeps the two equal. [plugins.md](plugins.md) shows how hooks are
used.

A plugin implements a hook with a function of the same name in its registration module, marked with `@ganzoo.hookimpl`.
The function declares only the arguments that it needs: a hook may gain arguments, and implementations that do not
declare them keep working. If a hook of a plugin raises an exception during a run, ganzoo reports it with the plugin's
name and the run continues; a `ganzoo.GanzooError` is a message for the user, and ends the run.

In a plugin's module and in an observer, names that begin with `ganzoo_` are reserved for hooks. A name without the
marker, a name that is not a hook, and an argument that the hook does not have are reported.
"""


def page() -> str:
    """The page as it should be."""
    tree = ast.parse(inspect.getsource(hookspecs))
    hooks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("ganzoo_")]
    return HEAD + "".join(section(hook) for hook in hooks)


def section(hook: ast.FunctionDef) -> str:
    """A hook's name, its signature exactly as it is, and its docstring."""
    signature = f"def {hook.name}({ast.unparse(hook.args)})"
    returns = f" -> {ast.unparse(hook.returns)}" if hook.returns else ""
    return f"\n## {hook.name}\n```python\n{signature}{returns}\n```\n{ast.get_docstring(hook)}\n"


def test_the_page_is_what_the_hookspecs_say() -> None:
    again = "python tests/docs/test_hooks_page.py"
    assert PAGE.read_text(encoding="utf-8") == page(), f"docs/hooks.md is stale: run {again}"


def test_every_hook_says_what_it_is_for() -> None:
    hooks = [value for name, value in vars(hookspecs).items() if name.startswith("ganzoo_")]
    assert len(hooks) >= 6
    for hook in hooks:
        assert inspect.getdoc(hook), hook.__name__
        assert f"## {hook.__name__}\n" in PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
