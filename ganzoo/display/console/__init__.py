"""The console display of a run: a live display in a terminal, plain lines elsewhere.

The console is an ordinary observer of the public events, and uses only what plugins can use. `messages` contains the
texts, `live` the live display, `listener` the observer.
"""

from __future__ import annotations

from ganzoo.display.console.listener import Console as Console
from ganzoo.display.console.live import show_spinner as show_spinner
