"""docs/testing.md is what the conformance kit asks. `python tests/docs/test_testing_page.py` writes it anew."""

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

ganzoo asks every plugin whether it keeps the contracts: its own components, the plugins of its zoo, and yours. What
the kit cannot know is what your paper says: write tests of that beside it.

Everything runs on the CPU, on made-up data, in seconds, and nothing is downloaded. A recipe is read as it is and
then played for a few steps with small batches.

A network is looked at on the data of its plugin's own recipes, whatever kind of samples these are, with the options
that the recipe gives it and the conditions that it names; and, with its default options, on images or points of
several sizes where its recipes' data are images or points, or where there is no recipe that uses it. Most checks are
made once, on the first data that it does not refuse. Scores may be of any shape, or a list of them; a generator may
give several tensors, if its game makes samples of them; a part that only the game calls, such as a classifying head,
counts as used where a recipe of the plugin trains it.

## From the command line
```
ganzoo check ganzoo-my-gan
ganzoo check ganzoo-my-gan -k generator
ganzoo check ganzoo-my-gan -x -v
ganzoo check ganzoo-my-gan --json
```
The plugin must be installed (`pip install -e .`); pytest need not be. `-k` takes a word of the checks' names, `-x`
stops at the first failure, `-v` gives every check a line and says why some were not made. Exit status: 0 all kept,
1 some failed, 2 there is no such plugin, or it does not come in (then the message says why).

A failure says what was found, what the contract is, and what to change:
```
FAILED generator my-gan: keeps in range
  its images reach 3.94.
  The contract: Samples keep within their kind's bounds, [-1, 1] for images, however unusual the input.
  To mend it: end with what keeps within -1 and 1: nn.Tanh() for images.
```
One fault is one failure: a check that would only tell the same fault again is not made, and says which one it
needs.

## From pytest
`tests/test_conformance.py`, which `ganzoo new` writes:

```python
import pytest
from ganzoo.testing import Check, checks_of


@pytest.mark.parametrize("check", checks_of("ganzoo_my_gan"), ids=str)
def test_the_plugin_keeps_the_contracts(check: Check) -> None:
    check()
```

`checks_of` takes the name of the plugin's entry point or of its distribution, and raises `ganzoo.GanzooError` where
there is none. A `Check` is called; it raises `Failure`, an AssertionError, where the contract is broken, and
`NotChecked`, which pytest shows as skipped, where it does not apply: a shape that a network refuses, a data set
whose files are not here. It has a `subject` ("generator my-gan"), says what it `asks` and which `contract` it is
about. New checks come with minor releases of ganzoo, not with patches: pin `ganzoo>=0.1,<0.2` and a release of
yours stays green.

## In CI
```yaml
- run: python -m pip install -e ".[dev]"
- run: python -m pytest
- run: ganzoo check ganzoo-my-gan
```
The last line is for packages without pytest; with it, it says nothing new.

## What the kit does not see
Networks with other options than their defaults; sizes beyond those that it tries; a GPU; what a logger makes of a
run's events; what takes more than a few steps to show; whether the model is the paper's, and whether it learns. Of
those, write tests of your own, and put the figures of real runs into your README.

## What each check asks
The last column names faults that the check was made to catch. Each stands in
[tests/testing/mutants.toml](../tests/testing/mutants.toml) as a change to a small healthy plugin, and a test shows
that the change is caught by this check and by no other. This part of the page is made from the kit:
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
    assert PAGE.read_text(encoding="utf-8") == page(), f"docs/testing.md is stale: {again} writes it anew"


def test_every_check_has_a_contract_and_a_fault_that_shows_that_it_can_fail() -> None:
    rows = [line.strip("| ").split(" | ") for line in page().splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row[0] not in ("check", "---")]
    assert len(rows) > 50
    assert [row for row in rows if len(row) != 3 or not all(cell.strip() for cell in row)] == []
    named = {fault for row in rows for fault in row[2].split("; ")}
    assert {name.replace("_", " ") for name in MUTANTS} <= named


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
