"""The door: how plugins come in, and what stands on the shelves because of them. Imports no torch.

`zoo()` is what the rest of ganzoo asks. `discovery` finds plugins without importing them, `registration` lets each in
by itself, so that a broken one harms nobody, and `events` tells them of runs. `frame_said` says where a plugin failed.
"""

from ganzoo.plugins.credit import Credit
from ganzoo.plugins.registration import Entry, PluginRow
from ganzoo.plugins.zoo import Zoo, frame_said, zoo

__all__ = ["Credit", "Entry", "PluginRow", "Zoo", "frame_said", "zoo"]
