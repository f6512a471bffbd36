"""Limits on the structure of a TOML text, held before it is parsed: parsing takes more than it seems.

A parser keeps every prefix of a dotted key: one key of 40,000 parts, which is 80 kB, takes gigabytes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ganzoo.recipe.keys import MAX_NAME, MAX_PARTS, NAME

MAX_DEPTH = 16
"""The deepest nesting of tables and arrays; no recipe needs more than five."""

MAX_KEYS = 5_000
"""The most keys and tables of one file; the longest shipped suite has some fifty."""

TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    rf"|(?P<names>(?:{NAME})(?:[ \t]*+\.[ \t]*+(?:{NAME}))*+)"
    r"|(?P<mark>[=\[\]{}\n])"
    r"|(?P<blank>[ \t\r]++)"
    r"|#[^\n]*+"
    r"|[^\"'#=\[\]{}\sA-Za-z0-9_-]++|\s",
    re.DOTALL,
)
NAMES = re.compile(NAME, re.DOTALL)
EQUALS = re.compile(r"[ \t]*+=")


class Excess(NamedTuple):
    """Where a text goes beyond a limit: the line, from 1, and a sentence that names the limit."""

    line: int
    what: str


def find_excess(text: str) -> Excess | None:
    """The first place of a TOML text that goes beyond a limit, or None; in time and memory linear in its length.

    A text that is not TOML is looked at as far as it can be; the parser says what is wrong with it.
    """
    at, depth, keys = 0, 0, 0
    line_begins, in_header = True, False
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None:  # a quotation mark without its partner
            return None
        at, what, mark = token.end(), "", token["mark"]
        if token["names"]:
            parts = NAMES.findall(token["names"])
            if len(parts) > MAX_PARTS:
                what = f"a key has more than {MAX_PARTS} parts"
            elif (in_header or EQUALS.match(text, at)) and max(map(len, parts)) > MAX_NAME:
                what = f"a name in a key has more than {MAX_NAME} characters"
        elif mark == "\n":
            in_header = False
        elif mark:
            begins_header = mark == "[" and depth == 0 and line_begins
            in_header |= begins_header
            keys += begins_header or mark == "="
            depth = max(0, depth + (mark in "[{") - (mark in "]}"))
            if depth > MAX_DEPTH:
                what = f"its values are nested more than {MAX_DEPTH} deep"
            elif keys > MAX_KEYS:
                what = f"it has more than {MAX_KEYS:,} keys"
        if what:
            return Excess(text.count("\n", 0, token.start()) + 1, what)
        line_begins = mark == "\n" or (line_begins and token["blank"] is not None)
    return None
