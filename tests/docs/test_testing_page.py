"""docs/testing.md lists the conformance kit's checks; `python tests/docs/test_testing_page.py` generates it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganzoo.testing import checks_of

TOP = Path(__file__).parent.parent.parent
PAGE = TOP / "docs" / "testing.md"
MUTANTS: dict[str, Any] = tomllib.loads((TOP / "tests" / "testing" / "mutants.toml").read_text(encoding="utf-8"))

ELSEWHERE = {
    ("plugin", "imports no torch"): "torch imported at registration",
    ("command", "imports no torch"): "torch imported by a command before it is used",
    ("plugin", "says which ganzoo it needs"): "a distribution that works with any ganzoo",
}
"""Faults that are no change to one line: a test of their own makes each."""

HEAD = """# Testing a plugin: the conformance kit

The conformance kit tests that a plugin keeps ganzoo's contracts. It runs on ganzoo's own components, on the first-party
plugins, and on yours. It does not know your paper: write additional tests of its facts.

Everything runs on the CPU, on synthetic data, in seconds, and nothing is downloaded. A recipe is read unchanged and
then trained for a few steps with small batches.

A network is tested on the data of its plugin's own recipes, of any kind, with the recipe's options and the network's
conditions. If these data are images or points, or if no recipe uses the network, it is also tested with its default
options on images or points of several sizes. Most checks run once, on the first data that the network accepts. Scores
may have any shape, or be a list of tensors; a generator may return several tensors if its game turns them into samples;
a part that only the game calls, such as a classification head, counts as used if a recipe of the plugin trains it.

## From the command line
```
ganzoo check ganzoo-my-gan
ganzoo check ganzoo-my-gan -k generator
ganzoo check ganzoo-my-gan -x -v
ganzoo check ganzoo-my-gan --json
```
The plugin must be installed (`pip install -e .`); pytest is not required. `-k` selects checks by a word in their names,
`-x` stops at the first failure, `-v` prints a line for every check and why some were skipped. Exit status: 0 all checks
passed, 1 some failed, 2 the plugin does not exist or cannot be loaded (the message says why).

A failure states what was found, the contract, and what to change:
```
FAILED generator my-gan: keeps in range
  its images reach 3.94.
  The contract: Samples keep within their kind's bounds, [-1, 1] for images, however unusual the input.
  To mend it: end with what keeps within -1 and 1: nn.Tanh() for images.
```
Each fault gives one failure: a check that depends on a failed one is skipped, and names the check that it depends on.

## From pytest
`tests/test_conformance.py`, which `ganzoo new` writes:

```python
import pytest
from ganzoo.testing import Check, checks_of


@pytest.mark.parametrize("check", checks_of("ganzoo_my_gan"), ids=str)
def test_the_plugin_keeps_the_contracts(check: Check) -> None:
    check()
```

`checks_of` takes the name of the plugin's entry point or of its distribution, and raises `ganzoo.GanzooError` if
there is no such plugin. A `Check` is a callable. It raises `Failure`, an AssertionError, if the contract is broken, and
`NotChecked`, which pytest shows as skipped, if it does not apply, for example to a shape that a network rejects or a
data set whose files are missing. Its attributes are `subject` ("generator my-gan"), `asks` (what is checked) and
`contract`. Minor releases of ganzoo may add checks, patch releases do not: with `ganzoo>=0.1,<0.2` a plugin that passes
keeps passing.

## In CI
```yaml
- run: python -m pip install -e ".[dev]"
- run: python -m pytest
- run: ganzoo check ganzoo-my-gan
```
The last line is for packages without pytest; with pytest it repeats the same checks.

## What the kit does not check
Options other than the defaults and those of the plugin's recipes; sizes that the kit does not try; GPUs; the behaviour
of loggers; faults that appear only after more than a few steps; whether the model agrees with the paper, and whether it
learns. Write tests of your own for these, and put the results of real runs into your README.

## The checks
The last column names faults that the check detects. Each is defined in
[tests/testing/mutants.toml](../tests/testing/mutants.toml) as a change to a small correct plugin, and a test shows
that this check, and no other, detects the change. This part of the page is generated from the kit by
`python tests/docs/test_testing_page.py`.
"""

SECTIONS = {
    "plugin": "The plugin",
    "everything": "Everything on a shelf",
    "network": "Generators, translators and discriminators",
    "generator": "Generators and translators",
    "discriminator": "Discriminators",
    "loss": "Losses",
    "regularizer": "Regularizers",
    "augmentation": "Augmentations",
    "optimizer": "Optimizers",
    "schedule": "Schedules",
    "dataset": "Data sets",
    "kind": "Kinds of samples",
    "metric": "Metrics",
    "extractor": "Feature extractors",
    "command": "Commands",
    "recipe": "Recipes, and the games that they play",
}
"""Sections of the page. Networks that no recipe of their plugin plays are played with a partner, as a recipe is."""


def page() -> str:
    """The page as it should be."""
    told = asked()
    both = dict(told["generator"].items() & told["discriminator"].items())
    both = {asks: contract for asks, contract in told["generator"].items() if asks in both}
    everything = {asks: told["loss"][asks] for asks in told["loss"] if asks in told["schedule"]}
    told |= {"everything": everything, "network": both}
    shown: set[tuple[str, str]] = set()
    text = HEAD
    for section, title in SECTIONS.items():
        rows = {asks: contract for asks, contract in told[section].items() if (asks, contract) not in shown}
        shown |= set(rows.items()) if section in ("everything", "network") else set()
        text += f"\n### {title}\n| check | the contract | caught, among others |\n| --- | --- | --- |\n"
        for asks, contract in rows.items():
            faults = "; ".join(faults_of(section, asks))
            text += f"| {asks} | {contract.replace('|', chr(92) + '|')} | {faults} |\n"
    return text


def asked() -> dict[str, dict[str, str]]:
    """Shelf -> what is asked of what stands there, without how it plays -> the contract."""
    told: dict[str, dict[str, str]] = {}
    for plugin in ("ganzoo_vanilla", "ganzoo"):
        for check in checks_of(plugin):
            shelf, asks = check.subject.split()[0], check.asks
            asks = "shapes at each size" if asks.startswith("shapes at") else asks
            told.setdefault(shelf, {}).setdefault(asks, check.contract)
    for shelf in ("generator", "discriminator", "game"):  # the reference plugin has no recipe of its own
        told[shelf] = {
            asks: text
            for asks, text in told.get(shelf, {}).items()
            if asks not in told["recipe"] or asks in told["loss"]
        }
    return told


def faults_of(section: str, asks: str) -> Iterator[str]:
    """The faults that a check of a section is shown to catch."""
    shelves = {"everything": None, "network": ("generator", "discriminator")}.get(section, (section,))
    for name, mutant in MUTANTS.items():
        subject, _, fails = mutant["fails"].partition(": ")
        fails = "shapes at each size" if fails.startswith("shapes") else fails
        if fails == asks and (shelves is None or subject.split()[0] in shelves):
            yield name.replace("_", " ")
    if (section, asks) in ELSEWHERE:
        yield ELSEWHERE[(section, asks)]


def test_the_page_is_what_the_kit_asks() -> None:
    again = "python tests/docs/test_testing_page.py"
    assert PAGE.read_text(encoding="utf-8") == page(), f"docs/testing.md is stale: run {again}"


def test_every_check_has_a_contract_and_a_fault_that_shows_that_it_can_fail() -> None:
    rows = [line.strip("| ").split(" | ") for line in page().splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row[0] not in ("check", "---")]
    assert len(rows) > 50
    assert [row for row in rows if len(row) != 3 or not all(cell.strip() for cell in row)] == []
    named = {fault for row in rows for fault in row[2].split("; ")}
    assert {name.replace("_", " ") for name in MUTANTS} <= named


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
