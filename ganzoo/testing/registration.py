"""Whether a plugin comes in as it should: light, named well, and pointing at things that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, entry_points

from ganzoo.plugins import PluginRow, zoo
from ganzoo.plugins.hookspecs import PROJECT
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import NotChecked, require
from ganzoo.testing.fresh_python import said_by
from ganzoo.testing.subject import Subject

PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v\d+)?|doi:10\.\d{4,9}/\S+|")
LONGEST_SUMMARY = 80

PROBE = """
import sys
from pkgutil import resolve_name
plugin = resolve_name(sys.argv[1])
list(getattr(plugin, "ganzoo_components", list)() or ())
print("torch" in sys.modules)
"""


def registration_checks(row: PluginRow) -> Iterator[Check]:
    """Of the plugin as a whole."""
    yield Check(f"plugin {row.name}", "imports no torch", imports_no_torch, lambda: row)
    yield Check(f"plugin {row.name}", "comes in whole", comes_in_whole, lambda: row)
    if row.distribution != PROJECT:
        yield Check(f"plugin {row.name}", "says which ganzoo it needs", says_which_ganzoo, lambda: row)


def shelf_checks(subject: Subject) -> Iterator[Check]:
    """Of each thing that it puts on a shelf."""
    yield Check(str(subject), "exists", exists, lambda: subject)
    yield Check(str(subject), "has a summary and a paper", is_described, lambda: subject)


def imports_no_torch(row: PluginRow) -> None:
    """Importing the plugin and asking it for its components imports no torch, so that `ganzoo list` stays quick."""
    value = next(point.value for point in entry_points(group=PROJECT, name=row.name))
    said = said_by(PROBE, value, failing="a fresh Python cannot register the plugin")
    require(
        said.split()[-1] == "False",
        f"importing {value} imports torch.",
        "keep the entry point's module to `ganzoo` and the standard library; components name their targets as text.",
    )


def comes_in_whole(row: PluginRow) -> None:
    """Everything that the plugin registers is on its shelf; a command with the name of one of ganzoo's is left out."""
    require(not row.cause, f"{row.cause}.", "give it another name.")


def says_which_ganzoo(row: PluginRow) -> None:
    """The distribution requires ganzoo, with the versions that it works with."""
    required = [text for text in distribution(row.distribution).requires or () if re.match(r"ganzoo(?![\w.-])", text)]
    remedy = 'in pyproject.toml: dependencies = ["ganzoo>=0.1,<0.2"].'
    require(required, f"{row.distribution} does not require ganzoo.", remedy)
    require(
        any(sign in required[0].partition(";")[0] for sign in "<>=~"), f"it requires any ganzoo: {required[0]}.", remedy
    )


def not_installed(name: str) -> list[str]:
    """What a distribution requires, for itself or for its zoo of plugins (the extra `zoo`), and is not there."""
    missing = []
    for text in distribution(name).requires or ():
        requirement, _, marker = text.partition(";")
        if "extra" not in marker or "zoo" in marker:
            required = re.split(r"[^\w.-]", requirement.strip())[0]
            try:
                distribution(required)
            except PackageNotFoundError:
                missing.append(required)
    return missing


def exists(subject: Subject) -> None:
    """The target can be imported and is a class or function; a recipe's is a file in the package."""
    if subject.entry.shelf == "recipe":
        zoo().recipe_path(subject.entry)
    elif subject.entry.shelf == "pretrained":
        raise NotChecked("what stands there is had when it is used")
    else:
        require(callable(subject.target), f"{subject.entry.component.target} cannot be called.")


def is_described(subject: Subject) -> None:
    """A summary of one short line, and a paper that is an arXiv id, a DOI or empty, as `ganzoo list` shows them."""
    component = subject.entry.component
    require(component.summary.strip(), "its summary is empty.", "say in a few words what it is.")
    if subject.entry.shelf != "recipe":
        length = len(component.summary)
        remedy = f"say it in {LONGEST_SUMMARY} characters; the class's docstring has room for the rest."
        one_line = "\n" not in component.summary and length <= LONGEST_SUMMARY
        require(one_line, f"its summary has {length} characters or more than one line.", remedy)
    require(
        PAPER.fullmatch(component.paper),
        f"its paper is {component.paper!r}.",
        'write "arXiv:1406.2661", "doi:10.1109/5.726791", or leave it empty.',
    )
