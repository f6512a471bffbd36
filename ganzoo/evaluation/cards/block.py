"""The generated block of a Markdown page: `ganzoo card` replaces what is between two comments."""

from __future__ import annotations

import re

from ganzoo.errors import GanzooError

BEGIN = "<!-- ganzoo card {name}: begin. `ganzoo card RUN... --into FILE` renews what is between the two. -->"
END = "<!-- ganzoo card {name}: end -->"
MARK = re.compile(r"^<!-- ganzoo card (?P<name>[\w.+-]+): (?P<side>begin|end)\b[^\n]*-->[ \t]*$", re.MULTILINE)


def replace_block(page: str, name: str, content: str) -> str:
    """The page with the content of a block replaced, or the block appended if there is none of that name.

    Raises: GanzooError if the comments of the page are not in pairs, or pairs are nested.
    """
    block = f"{BEGIN.format(name=name)}\n{content.strip()}\n{END.format(name=name)}"
    for known, start, end in block_spans(page):
        if known == name:
            return page[:start] + block + page[end:]
    return f"{page.rstrip()}\n\n{block}\n" if page.strip() else f"{block}\n"


def read_blocks(page: str) -> dict[str, str]:
    """The content of each block of a page, by name. Raises: GanzooError as `replace_block` does."""
    return {name: page[start:end].partition("\n")[2].rpartition("\n")[0] for name, start, end in block_spans(page)}


def block_spans(page: str) -> list[tuple[str, int, int]]:
    """Each block's name, and its start and end, comments included."""
    found: list[tuple[str, int, int]] = []
    marks = list(MARK.finditer(page))
    for begin, end in zip(marks[::2], [*marks[1::2], None], strict=False):
        paired = end and (begin["side"], end["side"]) == ("begin", "end") and begin["name"] == end["name"]
        if not end or not paired or begin["name"] in (name for name, _, _ in found):
            line = page.count("\n", 0, begin.start()) + 1
            raise GanzooError(
                f'line {line}: the comment "ganzoo card {begin["name"]}: {begin["side"]}" has no other one of its own.',
                remedy="A block has one comment that begins it and one that ends it, and no other block inside.",
            )
        found.append((begin["name"], begin.start(), end.end()))
    return found
