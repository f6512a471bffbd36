"""`ganzoo check`: runs the conformance kit on an installed plugin, with output like pytest's."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ganzoo.cli.complete import plugins
from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from ganzoo.display.console.terminal import Terminal
    from ganzoo.testing import Check

OUTCOMES = {"kept": (".", "green"), "failed": ("F", "red"), "not checked": ("s", "yellow")}
"""Outcome of a check -> its sign and colour."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A check and its outcome: "kept", "failed" or "not checked", with a message."""

    check: Check
    outcome: str
    message: str = ""


@click.command()
@click.argument("package", shell_complete=plugins)
@click.option("-k", "word", metavar="WORD", default="", help="Only checks with WORD in their names, say generator.")
@click.option("-x", "--fail-fast", is_flag=True, help="Stop at the first that fails.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each check, and the reasons for skipped checks.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(package: str, word: str, fail_fast: bool, verbose: bool, as_json: bool) -> int:
    """Check an installed plugin against every contract: PACKAGE is its name, or its distribution's.

    The checks train a few steps on synthetic data, on the CPU and without a network. Exit status: 0 all kept, 1 some
    failed.
    """
    from ganzoo.testing import checks_of

    began = time.perf_counter()
    all_checks = checks_of(package)
    chosen = [one for one in all_checks if word.lower() in str(one).lower()]
    if not chosen:
        raise GanzooError(f'no check of {package} has "{word}" in its name.', remedy="`-v` shows all their names.")
    # output of a plugin must not be mixed with the JSON
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        results = run_checks(chosen, fail_fast=fail_fast, verbose=verbose, silent=as_json)
    seconds = time.perf_counter() - began
    if as_json:
        click.echo(json.dumps(to_json(package, results, seconds), indent=2))
    else:
        print_summary(results, seconds, left_out=len(all_checks) - len(chosen), verbose=verbose)
    return int(any(result.outcome == "failed" for result in results))


def run_checks(checks: Iterable[Check], *, fail_fast: bool, verbose: bool, silent: bool) -> list[CheckResult]:
    """Runs the checks one after another, printing each outcome."""
    from rich.text import Text

    terminal = result_terminal()
    results: list[CheckResult] = []
    for one in checks:
        if not silent and not verbose and (not results or results[-1].check.subject != one.subject):
            terminal.print(Text(f"{'' if not results else chr(10)}{one.subject} "), end="", soft_wrap=True)
        result = run_check(one)
        results.append(result)
        if not silent:
            sign, colour = OUTCOMES[result.outcome]
            line = Text.assemble(f"{one} ", (result.outcome.upper(), colour), "\n") if verbose else Text(sign, colour)
            terminal.print(line, end="", soft_wrap=True)
        if fail_fast and result.outcome == "failed":
            break
    return results


def run_check(one: Check) -> CheckResult:
    """Runs a check."""
    from ganzoo.testing import Failure

    outcome = one.outcome()
    if outcome is None:
        return CheckResult(one, "kept")
    return CheckResult(one, "failed" if isinstance(outcome, Failure) else "not checked", str(outcome))


def print_summary(results: list[CheckResult], seconds: float, *, left_out: int, verbose: bool) -> None:
    """Prints what failed and what to do about it, what was not checked and why, and the counts."""
    from rich.text import Text

    terminal = result_terminal()
    if not verbose:
        terminal.print()
    for result in results:
        if result.outcome == "failed":
            head = Text.assemble("\n", ("FAILED", "red"), " ", (str(result.check), "bold"), f"\n  {result.message}")
            terminal.print(head, soft_wrap=True)
    reasons: dict[str, list[str]] = {}
    for result in results:
        if result.outcome == "not checked":
            reasons.setdefault(result.message, []).append(str(result.check))
    if reasons:
        terminal.print("\nNot checked:" if verbose else "")
    for reason, names in reasons.items() if verbose else ():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        terminal.print(Text(f"  {names[0]}{more}: {reason}"), soft_wrap=True)
    counts = [
        f"{n} {outcome}"
        for outcome in OUTCOMES
        if (n := sum(result.outcome == outcome for result in results)) or outcome == "kept"
    ]
    counts += [f"{left_out} left out"] if left_out else []
    colour = "red" if any(result.outcome == "failed" for result in results) else "green"
    hint = " (-v says why)" if reasons and not verbose else ""
    terminal.print(Text.assemble((f"{', '.join(counts)} in {seconds:.1f} s", f"bold {colour}"), hint), soft_wrap=True)


def result_terminal() -> Terminal:
    """The terminal for results, coloured if standard output is one."""
    from ganzoo.display.console.terminal import Terminal, is_interactive

    return Terminal(plain=not is_interactive())


def to_json(package: str, results: list[CheckResult], seconds: float) -> dict[str, object]:
    """The results as a JSON object."""
    return {
        "plugin": package,
        "seconds": round(seconds, 3),
        "counts": {outcome: sum(result.outcome == outcome for result in results) for outcome in OUTCOMES},
        "checks": [
            {
                "name": str(result.check),
                "subject": result.check.subject,
                "asks": result.check.asks,
                "contract": result.check.contract,
                "outcome": result.outcome,
                "message": result.message,
            }
            for result in results
        ],
    }
