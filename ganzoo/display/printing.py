"""The one place that cleans what is printed: names, descriptions and errors' texts come from anywhere.

The command line's standard output and standard error are `PrintableStream`s while it runs, so that whatever is printed
passes `printable`: by click, by `print`, by warnings or by a plugin. `display.console.terminal.Terminal` cleans its
texts itself and writes `unfiltered`, because its own colours are control characters.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters (C0 but for tab and line feed, DEL, C1), those that change the direction of text, separators of
lines and paragraphs, and surrogates, which stand for bytes that are not UTF-8."""


def printable(text: str) -> str:
    r"""The text with every character that a terminal would obey, or cannot encode, written as an escape: "\x1b".

    A Windows line end becomes a line feed. Bytes that are not UTF-8, as in names of files, are written as such: "\xff".
    """
    return UNPRINTABLE.sub(_escape, text.replace("\r\n", "\n"))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class UnfilteredStream:
    """A text stream that never fails: once it cannot be written, it drops what comes, and `failure` says why.

    Everything else is the wrapped stream's. Characters that its encoding lacks are written as escapes.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.failure: OSError | None = None
        with suppress(AttributeError, ValueError):  # not a file, or one that is detached
            cast("Any", stream).reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Writes the text as it is."""
        try:
            self.stream.write(text)
        except OSError as error:
            self._fail(error)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Writes the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flushes what was written."""
        try:
            self.stream.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        """Drops what comes, and what the stream still holds, which Python would try to write at its exit."""
        self.failure = self.failure or error
        with suppress(OSError, ValueError, AttributeError):  # it has no descriptor
            descriptor = self.stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class PrintableStream:
    """A text stream that writes what is `printable` of each text."""

    encoding = "utf-8"
    """It takes every character, whatever the encoding of the wrapped stream is."""

    def __init__(self, unfiltered: UnfilteredStream) -> None:
        self.unfiltered = unfiltered

    def write(self, text: str) -> int:
        """Writes the text, cleaned. A leading carriage return, as of a progress bar, reaches a terminal."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")
        redrawn = text.startswith("\r") and "\n" not in text and self.unfiltered.isatty()
        self.unfiltered.write("\r" + printable(text.lstrip("\r")) if redrawn else printable(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Writes the lines, cleaned."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unfiltered, name)


def unfiltered(stream: Any) -> Any:
    """The stream for texts that are clean already and coloured; the stream itself outside of the command line."""
    return stream.unfiltered if isinstance(stream, PrintableStream) else stream


@contextmanager
def printable_output() -> Iterator[tuple[PrintableStream, PrintableStream]]:
    """While entered, standard output and standard error write printable text only, and never fail.

    One that is closed takes everything and writes nothing. Yields: both streams.
    """
    before = sys.stdout, sys.stderr
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        out, err = (PrintableStream(UnfilteredStream(stream or nowhere)) for stream in before)
        sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
        try:
            yield out, err
        finally:
            out.flush()
            err.flush()
            sys.stdout, sys.stderr = before


def reserve_standard_descriptors() -> None:
    """Opens those of the descriptors 0 to 2 that are closed, on nothing.

    The next file that is opened would else get the number, and everything printed by C code would be written into it.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(opened)
