"""The reliability page holds a row for each row of the harness, and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROW = re.compile(r'pytest\.mark\.row\(\s*"([^"]+)"')


def test_the_table_has_the_rows_of_the_harness() -> None:
    files = (ROOT / "tests" / "reliability").glob("test_*.py")
    marked = {name for file in files for name in ROW.findall(file.read_text(encoding="utf-8"))}
    table = PAGE.partition("<!-- rows -->")[2].partition("<!-- end of rows -->")[0].strip().splitlines()[2:]
    assert {line.split("|")[1].strip() for line in table} == marked


def test_no_row_of_the_table_has_a_failure() -> None:
    table = PAGE.partition("<!-- rows -->")[2].partition("<!-- end of rows -->")[0].strip().splitlines()[2:]
    assert [line for line in table if line.split("|")[4].strip() != "0"] == []


def test_the_tests_that_the_page_names_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
