"""What plugins raise that no `except Exception` catches, and exceptions whose text cannot be had.

A `sys.exit(0)` in a loss would end a run as if it had succeeded, and a `raise KeyboardInterrupt` would pass for Ctrl-C.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENGINE = __name__.partition(".")[0]
MAX_TEXT = 2000
"""The most characters of an exception's text that are shown."""


class EscapedExit(Exception):
    """A component raised something that ends a program, such as SystemExit, in the middle of other work.

    Its cause is what was raised; its text names that, and the plugin that it comes from.
    """


@contextmanager
def contained() -> Iterator[None]:
    """Inside, what would end the program becomes an EscapedExit, unless the user interrupted it.

    That is: SystemExit, GeneratorExit and every other exception that is no Exception, KeyboardInterrupt where no signal
    arrived, and click's Exit and Abort.
    """
    try:
        yield
    except BaseException as error:
        if not ends_a_program(error) or is_interruption(error):
            raise
        from ganzoo.plugins.zoo import error_owner  # which imports plugins, through this module

        text = error_text(error)
        raised = f"{type(error).__name__}{f' ({text})' if text else ''}"
        owner = error_owner(error)
        source = f"the plugin {owner}" if owner else "a component"
        # with its traceback, by which others find the component and the line
        raise EscapedExit(f"{source} raised {raised}").with_traceback(error.__traceback__) from error


def ends_a_program(error: BaseException) -> bool:
    """Whether an exception ends a program or a command where nobody catches it by name."""
    kind = type(error)
    of_click = kind.__module__ == "click.exceptions" and kind.__name__ in ("Exit", "Abort")
    return of_click or not isinstance(error, Exception)


def is_interruption(error: BaseException) -> bool:
    """Whether the user interrupted the program, by Ctrl-C, and no plugin raised a KeyboardInterrupt itself.

    Python's own handler of SIGINT leaves no trace, so that with it every KeyboardInterrupt counts as the user's. Those
    of ganzoo, `raise_interrupt` and the one of a run, are the innermost frame of what they raise.
    """
    if not isinstance(error, KeyboardInterrupt):
        return False
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = str(trace.tb_frame.f_globals.get("__name__", "")) if trace else ""
    return module.partition(".")[0] == ENGINE


def tell_interrupts_apart() -> None:
    """Handles SIGINT as Python does, but so that `is_interruption` can tell. A signal that is ignored stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, raise_interrupt)


def raise_interrupt(_number: int, _frame: FrameType | None) -> None:
    """The handler of SIGINT."""
    raise KeyboardInterrupt


def error_text(error: BaseException) -> str:
    """`str(error)`, or why it cannot be had; of a very long one the beginning."""
    try:
        text = str(error)
    except BaseException as raised:
        if is_interruption(raised):
            raise
        return f"without a text: its __str__ raises {type(raised).__name__}"
    length = str.__len__(text)
    beginning = str.__getitem__(text, slice(MAX_TEXT))  # a plain string, whatever a subclass does
    return beginning if length <= MAX_TEXT else f"{beginning} ... ({length - MAX_TEXT:,} more characters)"
