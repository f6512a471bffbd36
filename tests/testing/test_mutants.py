"""Each check can fail: a healthy plugin, broken on purpose in one place, fails the check meant for it and no other."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ganzoo.testing import Failure, checks_of

Install = Callable[..., str]


MUTANTS = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text(encoding="utf-8"))

SLOW = "imports no torch"
"""The one check that starts another Python: made only for the mutant that is meant for it."""


def failures(plugin: str, *, without: str = SLOW) -> dict[str, str]:
    """Every check that fails, with its message."""
    checks = [check for check in checks_of(plugin) if not without or without not in str(check)]
    return {str(check): str(check.outcome()) for check in checks if isinstance(check.outcome(), Failure)}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_plugin_fails_the_check_meant_for_it_and_no_other(install: Install, name: str) -> None:
    mutant = MUTANTS[name]
    changes = [(change["file"], change["old"], change["new"]) for change in mutant["change"]]
    failed = failures(install(name, *changes))
    assert failed
    assert {check for check in failed if not check.startswith(mutant["fails"])} == set(), failed
    said = "\n".join(failed.values())
    assert mutant["says"] in said
    assert "The contract: " in said


def test_torch_imported_at_registration_is_caught(install: Install) -> None:
    plugin = install("heavy", ("plugin", "from ganzoo import", "import torch\n\nfrom ganzoo import"))
    failed = failures(plugin, without="")
    assert set(failed) == {"plugin heavy: imports no torch"}
    assert "importing heavy.plugin imports torch" in failed["plugin heavy: imports no torch"]


def test_torch_imported_by_a_command_before_it_is_used_is_caught(install: Install) -> None:
    plugin = install("eager", ("commands", "import click", "import click\nimport torch"))
    failed = failures(plugin, without="")
    assert set(failed) == {"command echo-words: imports no torch"}
    assert "importing eager.commands:echo_words imports torch" in failed["command echo-words: imports no torch"]


@pytest.mark.parametrize(("requires", "says"), [("", "does not require ganzoo"), ("ganzoo", "any ganzoo")])
def test_a_distribution_that_works_with_any_ganzoo_is_caught(install: Install, requires: str, says: str) -> None:
    failed = failures(install("lax", requires=requires))
    assert set(failed) == {"plugin lax: says which ganzoo it needs"}
    assert says in next(iter(failed.values()))


def test_the_healthy_original_keeps_every_contract(install: Install) -> None:
    plugin = install("sound")
    outcomes = {str(check): check.outcome() for check in checks_of(plugin)}
    unkept = {name: outcome for name, outcome in outcomes.items() if outcome is not None}
    # what does not apply, and why, is said; nothing else is left out
    assert {re.sub(r"\d+x", "", str(outcome)) for outcome in unkept.values()} == {"refused: a sketch has no colours."}
    assert set(unkept) == {f"generator sketch: shapes at {shape}" for shape in ("3x32x32", "3x64x64")}


def test_every_check_of_the_healthy_plugin_has_a_mutant(install: Install) -> None:
    """No check is without proof that it can fail."""
    asked = {check.asks for check in checks_of(install("complete"))}
    meant = {mutant["fails"].partition(": ")[2] for mutant in MUTANTS.values()} | {SLOW, "says which ganzoo it needs"}
    unproven = {asks for asks in asked if not any(asks.startswith(start) for start in meant)}
    assert unproven == set()
