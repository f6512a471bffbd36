"""Finding and registering plugins, and looking up the components that they provide. Imports no torch.

`zoo()` is the entry point for the rest of ganzoo. `discovery` finds plugins without importing them, `registration`
registers each one separately, so that a broken plugin does not affect the others, and `events` calls their hooks during
runs. `error_location` gives the line of a plugin's code that raised an exception.
"""

from ganzoo.plugins.containment import contained, error_text
from ganzoo.plugins.credit import Credit
from ganzoo.plugins.registration import Entry, PluginRow
from ganzoo.plugins.zoo import Zoo, error_location, error_owner, error_report, zoo

__all__ = [
    "Credit",
    "Entry",
    "PluginRow",
    "Zoo",
    "contained",
    "error_location",
    "error_owner",
    "error_report",
    "error_text",
    "zoo",
]
