"""docs/benchmarks.md shows the tables of results that are there, and says of suites what the code says.

`python tests/docs/test_benchmarks_page.py` writes the page's tables anew from docs/benchmarks/*.json, which are copies
of a suite's table.json.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from ganzoo.evaluation.suites.lookup import installed
from ganzoo.evaluation.suites.reading import ENTRY_KEYS
from ganzoo.evaluation.suites.results import Result
from ganzoo.evaluation.suites.suite import Budget, Header, Scoring
from ganzoo.evaluation.suites.table import markdown
from ganzoo.recipe.messages import format_value

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = DOCS / "benchmarks.md"
RESULTS = sorted((DOCS / "benchmarks").glob("*.json"))
PLACE = r"(<!-- table: {} -->\n)(.*?)(<!-- end -->)"


def result(path: Path) -> Result:
    return Result.from_json(json.loads(path.read_bytes()))


def written(text: str) -> str:
    """The page with the table of every result in its place."""
    for path in RESULTS:
        table = markdown(result(path))
        text = re.sub(PLACE.format(path.stem), lambda m, t=table: m[1] + t + m[3], text, flags=re.DOTALL)
    return text


def test_the_tables_on_the_page_are_those_of_the_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert RESULTS
    assert written(text) == text
    assert all(markdown(result(path)) in text for path in RESULTS)


@pytest.mark.parametrize("name", sorted(installed()))
def test_every_shipped_suite_has_its_place_on_the_page(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"## {name}\n" in text
    assert re.search(PLACE.format(name), text, flags=re.DOTALL)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_result_is_of_the_suite_as_it_is_shipped(path: Path) -> None:
    """Every entry and seed is there, trained for as long as the suite says, and no mean hides a run."""
    from ganzoo.evaluation.suites.reading import read_suite

    suite, found = read_suite(path.stem), result(path)
    rows = [row for group in found.groups for row in group.rows]
    assert {row.entry: row.recipe for row in rows} == {entry.name: entry.source for entry in suite.entries}
    for row in rows:
        (entry,) = [entry for entry in suite.entries if entry.name == row.entry]
        done = [run for run in row.runs if run.status == "done"]
        assert row.steps == entry.recipe.train.steps
        for name, cell in row.cells.items():
            assert cell.n == len(done)
            assert cell.mean == pytest.approx(sum(run.scores[name] for run in done) / len(done))
        assert row.cells["modes" if "modes" in row.cells else "fid"].n >= 2


def rows_of(heading: str) -> dict[str, str]:
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| *(.*?) *\|", section, re.MULTILINE))


@pytest.mark.parametrize(("heading", "kind"), [("At the top", Header), ("[budget]", Budget), ("[score]", Scoring)])
def test_the_tables_of_a_suites_keys_are_complete_and_right(heading: str, kind: Any) -> None:
    def default(of: Any) -> str:
        return "" if of.default in (None, MISSING, ()) else f"`{format_value(of.default)}`"

    assert rows_of(heading) == {one.name: default(one) for one in fields(kind) if one.name != "written"}


def test_the_table_of_an_entrys_keys_is_complete() -> None:
    assert sorted(rows_of("[[entry]]")) == sorted(ENTRY_KEYS)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
