"""Commands: does each work like ganzoo's own, and cost nothing before it is used?"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

import click
from click.testing import CliRunner

from ganzoo.plugins.hookspecs import PROJECT
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import NotChecked, require
from ganzoo.testing.fresh_python import said_by
from ganzoo.testing.subject import Subject

PROBE = """
import sys
from pkgutil import resolve_name
resolve_name(sys.argv[1])
at_registration = "torch" in sys.modules
resolve_name(sys.argv[2])
print(at_registration, "torch" in sys.modules)
"""


def command_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a command."""
    is_one = Check(str(subject), "is a click command", is_a_click_command, lambda: subject, needs=needs)
    yield is_one
    needs = [*needs, is_one]
    yield Check(str(subject), "imports no torch", imports_no_torch, lambda: subject, needs=needs)
    yield Check(str(subject), "shows its help", shows_help, lambda: subject, needs=needs)
    yield Check(str(subject), "has help for every option", has_help_for_options, lambda: subject, needs=needs)


def is_a_click_command(subject: Subject) -> None:
    """The target is a click command, or a group of them."""
    found = f"{subject.entry.component.target} is a {type(subject.target).__name__}."
    require(isinstance(subject.target, click.Command), found, "decorate the function with @click.command().")


def imports_no_torch(subject: Subject) -> None:
    """Importing a command imports no torch, so that its `--help` and the completion of its options are quick."""
    target = subject.entry.component.target
    plugin = next(point.value for point in entry_points(group=PROJECT, name=subject.entry.plugin))
    said = said_by(PROBE, plugin, target, failing=f"a fresh Python cannot import {target}")
    at_registration, after = said.split()[-2:]
    if at_registration == "True":
        raise NotChecked("the plugin imports torch before its command is imported")
    require(after == "False", f"importing {target} imports torch.", "import torch inside the function.")


def shows_help(subject: Subject) -> None:
    """`--help` ends well, and says in the function's docstring what the command does."""
    command: click.Command = subject.target
    done = CliRunner().invoke(command, ["--help"], prog_name=f"{PROJECT} {subject.entry.name}")
    require(done.exit_code == 0, f"`--help` ends with {done.exit_code}: {done.exception!r}.")
    require(command.get_short_help_str(), "its help says nothing of what it does.", "give its function a docstring.")


def has_help_for_options(subject: Subject) -> None:
    """Every option that is shown has a help text, for it is all that users are told of it."""
    options = [each for each in subject.target.params if isinstance(each, click.Option) and not each.hidden]
    silent = [option.opts[-1] for option in options if not option.help]
    require(not silent, f"{', '.join(silent)} has no help.", 'say what it is for: @click.option(..., help="...").')
