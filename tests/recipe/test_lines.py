"""Every key of a TOML text has its line, whatever stands around it."""

from __future__ import annotations

import random
import time
import tomllib

import pytest

from ganzoo.recipe.keys import format_key, parse_key
from ganzoo.recipe.lines import key_lines

TRICKY = '''# [not.a.table]
a = 1
"quoted.key" = """
b = 2
[c]
"""
'single' = \'\'\'x = "
y = 3\'\'\'
list = [  # [
    1,
    "]",  # ]
    { d = 4 },
]
dotted . "deep key".e = "[f]"
empty = ""
quotes = """"two" quotes""""

[ table . 'inner' ]   # trailing
g = { h = "}", i = [1,
2] }
j = "\\"#"

[[array]]
k = 1
[[array]]
k = 2
[array.sub]
l = 3
[[array.more]]
m = 4
[[array.more]]
m = 5
[[array]]
[[array.more]]
m = 6
'''

EXPECTED = {
    "a": 2,
    '"quoted.key"': 3,
    "single": 7,
    "list": 9,
    'dotted."deep key".e': 14,
    "empty": 15,
    "quotes": 16,
    "table.inner": 18,
    "table.inner.g": 19,
    "table.inner.j": 21,
    "array[0].k": 24,
    "array[1].k": 26,
    "array[1].sub": 27,
    "array[1].sub.l": 28,
    "array[1].more[0].m": 30,
    "array[1].more[1].m": 32,
    "array[2]": 33,
    "array[2].more[0].m": 35,
}


def test_every_key_has_the_line_that_it_stands_on() -> None:
    tomllib.loads(TRICKY)
    lines = {format_key(key): line for key, line in key_lines(TRICKY).items()}
    assert {key: lines.get(key) for key in EXPECTED} == EXPECTED


def test_keys_inside_of_strings_and_comments_are_none() -> None:
    found = {format_key(key) for key in key_lines(TRICKY)}
    assert found.isdisjoint({"b", "c", "y", "d", "not", "not.a.table", "f"})


@pytest.mark.parametrize("seed", range(20))
def test_a_generated_text_has_the_lines_that_it_was_written_with(seed: int) -> None:
    draw = random.Random(seed)
    values = [
        "1",
        '"a = 1"',
        "'#'",
        "[\n 1,\n # x = 1\n 2]",
        '"""\n[t]\nx = 1\n"""',
        "{ x = 1, y = [2] }",
        "2020-01-01",
    ]
    rows, expected, line = [], {}, 1
    for table in range(draw.randint(1, 6)):
        header = f"[table{table}.inner]" if draw.random() < 0.5 else f"[table{table}]"
        rows.append(header + "\n" * draw.randint(1, 3))
        line += rows[-1].count("\n")
        for key in range(draw.randint(0, 6)):
            expected[f"{header[1:-1]}.key{key}"] = line
            rows.append(f"key{key} = {draw.choice(values)}  # y = 2" + "\n" * draw.randint(1, 3))
            line += rows[-1].count("\n")
    text = "".join(rows)
    tomllib.loads(text)
    lines = {format_key(key): number for key, number in key_lines(text).items()}
    assert {key: lines.get(key) for key in expected} == expected


def test_the_time_grows_with_the_length_and_not_with_its_square() -> None:
    text = "hidden = [\n" + "  1,\n" * 150_000 + "]\n" + "".join(f"key{n} = 1\n" for n in range(20_000))
    start = time.process_time()
    lines = key_lines(text)
    assert lines[("key19999",)] == 170_002
    assert time.process_time() - start < 10  # it takes half a second; a square would take hours


@pytest.mark.parametrize(
    "path", ["a", "a.b", "a[0].b", 'a."b.c".d', "regularizer[12].weight", '"x y"[3]', 'a."0"', "a.007"]
)
def test_a_key_path_reads_back_as_it_was_written(path: str) -> None:
    assert format_key(parse_key(path)) == path


@pytest.mark.parametrize("path", ["regularizer.0.weight", "regularizer[0].weight", " regularizer . 0 . weight"])
def test_a_number_after_a_dot_counts_in_an_array(path: str) -> None:
    assert parse_key(path) == ("regularizer", 0, "weight")


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "[0]", "a[", "a[]", "a[x]", "a b", 'a."b', "a[0]b", "a=b"]
)
def test_what_is_no_key_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no key path"):
        parse_key(path)
