"""Markdown that is made from texts of any origin: whatever is not `Markdown` is escaped where it is put in."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup

from ganzoo.display.printing import printable

SPECIAL = re.compile(r"[\\`*|<&~\[\]]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that Markdown or HTML interprets; an underscore within a word is none."""
LINE_ENDS = re.compile(r"[\r\n\t\v\f]+")
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5}(?:v\d+)?)")


class Markdown(Markup):
    """Text that is Markdown already. `Markdown("...{}").format(text)` escapes what is put in, unless it is one too."""

    __slots__ = ()

    @classmethod
    def escape(cls, s: Any, /) -> Markdown:
        """Text as one line of Markdown that shows it as it is, HTML included."""
        if isinstance(s, cls):
            return s
        return cls(SPECIAL.sub(r"\\\g<0>", printable(LINE_ENDS.sub(" ", str(s)))))


def code(text: str) -> Markdown:
    """Text as a code span, in which nothing is interpreted, for a table's cell too."""
    line = printable(LINE_ENDS.sub(" ", text))
    ticks = "`" * (1 + _longest_run("`", line))
    space = " " if len(ticks) > 1 else ""
    return Markdown(f"{ticks}{space}{line}{space}{ticks}".replace("|", r"\|"))


def code_block(text: str, language: str) -> Markdown:
    """Text as a fenced block of code, whatever fences it has itself."""
    fence = "`" * max(3, 1 + _longest_run("`", text))
    return Markdown(f"{fence}{language}\n{printable(text)}\n{fence}")


def link_arxiv(text: str) -> Markdown:
    """The text, escaped, with arXiv ids as links."""
    return Markdown(ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", str(Markdown.escape(text))))


def _longest_run(character: str, text: str) -> int:
    return max(map(len, re.findall(f"{character}+", text)), default=0)
