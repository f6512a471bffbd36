"""docs/hooks.md is what ganzoo/plugins/hookspecs.py says. `python tests/docs/test_hooks_page.py` writes it anew."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from ganzoo.plugins import hookspecs

PAGE = Path(__file__).parent.parent.parent / "docs" / "hooks.md"

HEAD = """# Hooks

Every hook of ganzoo, as [hookspecs.py](../ganzoo/plugins/hookspecs.py) has it: this page is made from that file by
`python tests/docs/test_hooks_page.py`, and a test holds the two together. [plugins.md](plugins.md) shows how they are
used.

A plugin implements a hook by a function of the same name in its registration module, marked with `@ganzoo.hookimpl`. It
names the arguments it wants, and no others: a hook may gain arguments, and an implementation that does not name them
goes on working. What a plugin raises in an event is reported by name, and the run goes on; a `ganzoo.GanzooError` is
meant for the user, and ends it.

All names that begin with `ganzoo_` are hooks' in a plugin's module and in an observer: one without the marker, or one
that is no hook, is reported, and so is an argument that the hook does not give.
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
    assert PAGE.read_text(encoding="utf-8") == page(), f"docs/hooks.md is stale: {again} writes it anew"


def test_every_hook_says_what_it_is_for() -> None:
    hooks = [value for name, value in vars(hookspecs).items() if name.startswith("ganzoo_")]
    assert len(hooks) >= 6
    for hook in hooks:
        assert inspect.getdoc(hook), hook.__name__
        assert f"## {hook.__name__}\n" in PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
