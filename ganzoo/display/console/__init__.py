"""What a person sees of a run: a live display in a terminal, plain lines elsewhere.

The console is an ordinary listener to the public events, and uses nothing that a plugin could not use.
`words` says what is said, `live` how it looks while it moves, `listener` when.
"""

from __future__ import annotations

from ganzoo.display.console.listener import Console as Console
from ganzoo.display.console.live import waiting as waiting
