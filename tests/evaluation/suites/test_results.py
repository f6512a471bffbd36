"""What a table says of numbers: means, spreads, and no rank that the spread does not carry."""

from __future__ import annotations

import json
import math
import random
from statistics import fmean, stdev
from typing import Any

import pytest

from ganzoo.evaluation.suites.results import (
    Cell,
    Column,
    Group,
    Outcome,
    Result,
    Row,
    assign_ranks,
    cell,
    p_value,
    significant_pairs,
)
from ganzoo.evaluation.suites.table import format_mean, format_rank, markdown, table_lines

FID = Column(name="fid", better="down", floor=0.25, protocol="10 against 10", measured={"n_fake": 10})


def row(entry: str, *values: float) -> Row:
    runs = tuple(Outcome(seed=seed, status="done", step=9, scores={"fid": v}) for seed, v in enumerate(values))
    cells = {"fid": cell(values)} if values else {}
    return Row(entry=entry, recipe="r", runs=runs, cells=cells, steps=9.0, seconds=1234.5, cpu_seconds=None)


def ranked(*rows: Row, better: str = "down") -> dict[str, Any]:
    table = list(rows)
    assign_ranks(table, Column(name="fid", better=better, floor=None, protocol="", measured={}))  # type: ignore[arg-type]
    return {one.entry: one.cells["fid"].rank for one in table if one.cells}


def test_mean_and_sample_standard_deviation() -> None:
    assert cell([1.0, 2.0, 6.0]) == Cell(mean=3.0, spread=stdev([1.0, 2.0, 6.0]), n=3)
    assert cell([4.0]) == Cell(mean=4.0, spread=None, n=1)
    assert format_mean(cell([64.71, 63.2, 66.0])) == "64.64 ± 1.4"
    assert format_mean(cell([64.71])) == "64.71"


def test_welchs_test_is_the_textbooks() -> None:
    """Against Student's density, integrated by hand, with the degrees of freedom of Welch and Satterthwaite."""
    one, other = Cell(mean=0.0, spread=1.0, n=4), Cell(mean=2.0, spread=2.0, n=4)
    t = 2 / math.sqrt(1 / 4 + 4 / 4)
    df = (1 / 4 + 4 / 4) ** 2 / ((1 / 4) ** 2 / 3 + (4 / 4) ** 2 / 3)
    density = [  # Student's, integrated by hand from t on
        math.gamma((df + 1) / 2) / (math.sqrt(df * math.pi) * math.gamma(df / 2)) * (1 + x * x / df) ** (-(df + 1) / 2)
        for x in (t + 0.001 * (step + 0.5) for step in range(400_000))
    ]
    assert p_value(one, other) == pytest.approx(2 * 0.001 * sum(density), abs=2e-4)


def test_what_is_far_apart_is_ranked_and_what_is_not_shares_its_places() -> None:
    far = row("far", 130.0, 131.0, 129.5)
    near = row("near", 60.1, 64.0, 62.0), row("nearby", 61.0, 65.0, 62.2)
    assert ranked(far, *near) == {"far": (3, 3), "near": (1, 2), "nearby": (1, 2)}
    assert ranked(far, *near, better="up") == {"far": (1, 1), "near": (2, 3), "nearby": (2, 3)}


def test_one_seed_has_no_spread_and_no_rank_nor_has_what_stands_alone() -> None:
    assert ranked(row("one", 1.0), row("two", 5.0, 5.1), row("three", 9.0, 9.1))["one"] is None
    assert ranked(row("alone", 1.0, 2.0)) == {"alone": None}
    assert ranked(row("none"), row("two", 5.0, 5.1)) == {"two": None}


def test_entries_whose_seeds_all_agree_are_told_apart_where_they_differ() -> None:
    assert ranked(row("all", 25.0, 25.0), row("same", 25.0, 25.0), row("fewer", 24.0, 24.0), better="up") == {
        "all": (1, 2),
        "same": (1, 2),
        "fewer": (3, 3),
    }


def test_equal_entries_are_seldom_told_apart() -> None:
    """A chance of 5 % that any pair of seven is: of 400 columns 20 are expected, and 41 is 5 sigma."""
    stream = random.Random(0)
    draws = [[[stream.gauss(50.0, 3.0) for _ in range(5)] for _ in range(7)] for _ in range(400)]
    wrong = sum(bool(significant_pairs({i: cell(values) for i, values in enumerate(column)})) for column in draws)
    assert wrong <= 41


def result(*rows: Row) -> Result:
    table = list(rows)
    assign_ranks(table, FID)
    data = {"name": "mnist", "checksum": "sha256:abc", "size": 60000, "plural": "images", "options": {}}
    group = Group(data=data, columns=(FID,), rows=tuple(table))
    return Result(
        suite="mine",
        description="",
        paper="arXiv:1711.10337",
        groups=(group,),
        machines=("cpu",),
        versions={},
        averaged=True,
        draws=1,
        date="2026-11-24T12:00:00+00:00",
    )


def test_a_table_has_a_row_an_entry_and_one_of_real_data_and_its_protocol_under_it() -> None:
    said = markdown(result(row("far", 130.0, 131.0, 129.5), row("near", 60.0, 64.0, 62.0))).splitlines()
    table = [line for line in said if line.startswith("|")]
    assert table[0] == "|  | FID ↓ | rank by FID | seeds | steps | training | CPU time |"
    assert table[2:] == [
        "| far | 130.2 ± 0.76 | 2 | 3 | 9 | 1,234 s |  |",
        "| near | **62 ± 2** | 1 | 3 | 9 | 1,234 s |  |",
        "| real data | 0.25 |  |  |  |  |  |",
    ]
    assert "- FID: 10 against 10." in said
    assert "- All trained on mnist: 60,000 images, sha256:abc." in said


def test_nothing_is_bold_where_nothing_is_told_apart() -> None:
    close = result(row("one", 60.0, 64.0, 62.0), row("other", 61.0, 63.0, 62.5))
    assert {cell.rank for r in close.groups[0].rows for cell in r.cells.values()} == {(1, 2)}
    assert "**6" not in markdown(close)


def test_every_line_has_a_text_for_every_column() -> None:
    whole = result(row("far", 130.0, 131.0), row("failed"), row("one", 3.0))
    (group,) = whole.groups
    assert {len(line.texts) for line in table_lines(group)} == {7}
    assert {len(line.best) for line in table_lines(group)} == {7}
    assert format_rank(Cell(mean=1.0, spread=1.0, n=3, rank=(2, 4))) == "2 to 4"


def test_a_result_is_the_same_after_json() -> None:
    whole = result(row("far", 130.0, 131.0, 129.5), row("near", 60.0, 64.0, 62.0), row("failed"))
    again = Result.from_json(json.loads(json.dumps(whole.to_json())))
    assert again == whole
    assert markdown(again) == markdown(whole)
    assert fmean([run.scores["fid"] for run in again.groups[0].rows[0].runs]) == pytest.approx(130.1666, abs=1e-3)
