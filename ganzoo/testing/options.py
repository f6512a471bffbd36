"""Whether a component's options are ones that a recipe can give and a person can understand."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from ganzoo.errors import PluginError
from ganzoo.recipe.check import check
from ganzoo.recipe.messages import describe_type, format_value
from ganzoo.recipe.options import Option
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import Failure, require
from ganzoo.testing.subject import Subject


def option_checks(subject: Subject, exists: Check) -> Iterator[Check]:
    """Of everything that has a constructor."""
    readable = Check(str(subject), "has options that a recipe can give", can_be_given, lambda: subject, needs=[exists])
    yield readable
    needs = [exists, readable]
    yield Check(str(subject), "has defaults of its options' types", defaults_fit, lambda: subject, needs=needs)
    yield Check(str(subject), "has no default that can change", defaults_last, lambda: subject, needs=needs)
    yield Check(str(subject), "says what its options mean", says_what, lambda: subject, needs=needs)


def can_be_given(subject: Subject) -> None:
    """Every option is a keyword parameter with a type that TOML can hold, since the signature is the schema."""
    remedy = "give each option a name and a type: `def __init__(self, ..., *, width: int = 64)`."
    try:
        options = subject.options
        for option in options.values():
            validate(subject, option, None)
    except PluginError as error:
        raise Failure(error.what, remedy) from error
    for parameter in inspect.signature(subject.target).parameters.values():
        starred = "*" * (parameter.kind is parameter.VAR_POSITIONAL) or "**" * (parameter.kind is parameter.VAR_KEYWORD)
        found = f"its constructor takes {starred}{parameter.name}, in which no recipe can give anything."
        require(not starred, found, "name every option.")


def defaults_fit(subject: Subject) -> None:
    """A default passes the check that a recipe's value must pass: every default is written into the run's recipe."""
    for name, option in subject.options.items():
        if option.required or option.from_data:
            continue
        written = check({}, {name: option}, key=(), place=lambda _: "", owner=str(subject)).written.get(name)
        problem = validate(subject, option, written)
        require(
            problem is None,
            f"the default of {name} is {format_value(option.default)}: {problem}",
            f"change the default or its type, which is {describe_type(option.annotation)}.",
        )


def defaults_last(subject: Subject) -> None:
    """A default cannot be changed by whoever gets it, or the next one built would begin with something else."""
    for name, option in subject.options.items():
        changes = isinstance(option.default, list | dict | set | bytearray)
        remedy = f"write a tuple: {name}: tuple[int, ...] = (256, 512)."
        require(not changes, f"the default of {name} is a {type(option.default).__name__}.", remedy)


def says_what(subject: Subject) -> None:
    """The docstring names every option and says what it does: it is all that `ganzoo show` can tell a user."""
    parts = (subject.target, getattr(subject.target, "__init__", None) if inspect.isclass(subject.target) else None)
    text = "\n".join(inspect.cleandoc(part.__doc__) for part in parts if part is not None and part.__doc__)
    missing = [
        name
        for name, option in subject.options.items()
        if not option.from_data and not re.search(rf"\b{re.escape(name)}\b", text)
    ]
    remedy = "a line in the class's docstring for each: its meaning, its unit, its range."
    require(not missing, f"the docstring does not mention {', '.join(missing)}.", remedy)


def validate(subject: Subject, option: Option, value: object) -> str | None:
    """What is wrong with a value of an option; None where nothing is. Raises: PluginError for a type of no recipe."""
    problems = check(
        {option.name: value}, {option.name: option}, key=(), place=lambda _: "", owner=str(subject)
    ).problems
    return problems[0].what if problems else None
