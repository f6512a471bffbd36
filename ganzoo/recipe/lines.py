"""Finds the line of every key of a TOML text, which tomllib does not report, in one pass."""

from __future__ import annotations

import re

from ganzoo.recipe.keys import NAME, Key, unquote

BLANK = re.compile(r"(?:\s+|#[^\n]*)*+")
NAMES = re.compile(NAME)
STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\]|\\.)*+"'
    r"|'[^']*'",
    re.DOTALL,
)
PLAIN = re.compile(r"[^\[\]{}\"'#\n]+|#[^\n]*")


def key_lines(text: str) -> dict[Key, int]:
    """Key path -> line, from 1. Keys inside inline tables are left out; they have the line of the table's key.

    text: valid TOML, already parsed by tomllib.
    """
    lines: dict[Key, int] = {}
    last: dict[Key, int] = {}  # array of tables -> the index of its present table
    table: Key = ()
    line, counted = 1, 0
    at = _skip(BLANK, text, 0)
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        if text[at] == "[":
            array = text.startswith("[[", at)
            names, at = _names(text, at + (2 if array else 1))
            table = _numbered(names[:-1], last) + names[-1:]
            if array:
                last[table] = last.get(table, -1) + 1
            if table in last:
                table = (*table, last[table])
            at = text.find("]]" if array else "]", at) + (2 if array else 1)
            key = table
        else:
            names, at = _names(text, at)
            key = (*table, *names)
            at = _value_end(text, text.find("=", at) + 1)
        for length in range(1, len(key) + 1):
            lines.setdefault(key[:length], line)
        at = _skip(BLANK, text, at)
    return lines


def _names(text: str, at: int) -> tuple[Key, int]:
    """A dotted key that begins at `at`, and where it ends."""
    names: list[str | int] = []
    while True:
        match = NAMES.match(text, _skip(BLANK, text, at))
        if match is None:
            return tuple(names), at
        names.append(unquote(match[0]))
        at = match.end()
        dot = _skip(BLANK, text, at)
        if not text.startswith(".", dot):
            return tuple(names), at
        at = dot + 1


def _value_end(text: str, at: int) -> int:
    """The end of the value that starts at `at`: the end of its line, outside of strings and brackets."""
    depth = 0
    while at < len(text):
        match = STRING.match(text, at) or PLAIN.match(text, at)
        if match:
            at = match.end()
            continue
        if text[at] == "\n" and depth == 0:
            return at
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(text[at], 0)
        at += 1
    return at


def _numbered(names: Key, last: dict[Key, int]) -> Key:
    """`names` with the index of the present table after each name of an array of tables."""
    key: Key = ()
    for name in names:
        key = (*key, name)
        if key in last:
            key = (*key, last[key])
    return key


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
