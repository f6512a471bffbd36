"""Which of several components of one name on one shelf a recipe means, where no plugin is named beside it.

In a user's own recipe that is an error. A recipe that a distribution ships means that distribution's own component, or
that of the one distribution it requires (its extras included); a run's recipe.toml means those that the run was made
with. So neither is broken by a plugin that is installed later and takes a name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ganzoo.errors import PluginError
from ganzoo.plugins import Entry, zoo

Prefer = Callable[[Sequence[Entry]], Entry | None]
"""Chooses among the entries that have a name; None where it cannot tell."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The components that a run was made with. components: table of its recipe -> "plugin:name"; distributions: of its
    plugins, for runs that do not say the former."""

    components: Mapping[str, str] = field(default_factory=dict)
    distributions: Collection[str] = ()

    def choose(self, table: str, entries: Sequence[Entry]) -> Entry | None:
        """The entry that the table of the run's recipe meant; None where that is not known.

        Raises: PluginError where it was another plugin's, which does not work here.
        """
        by_name = {f"{entry.plugin}:{entry.name}": entry for entry in entries}
        if (meant := self.components.get(table, "")) in by_name:
            return by_name[meant]
        # tables of an array are numbered anew where one is taken out
        known = [entry for name, entry in by_name.items() if name in self.components.values()]
        if len(known) == 1:
            return known[0]
        plugin, _, name = meant.rpartition(":")
        works = any(row.status == "ok" for row in zoo().find_plugins(plugin))
        if plugin and entries and name == entries[0].name and not works:
            raise PluginError(
                f'the {entries[0].shelf} "{name}" that this run was made with is of the plugin {plugin}, which is not '
                "installed here, or does not work.",
                remedy=f"Install {plugin} again; `ganzoo list plugins` says what is wrong with it.",
            )
        known = [entry for entry in entries if entry.distribution in self.distributions]
        return known[0] if len(known) == 1 else None


def of_distribution(distribution: str, entries: Sequence[Entry]) -> Entry | None:
    """The distribution's own entry, or else the only one of a distribution that it requires."""
    own = [entry for entry in entries if zoo().same_distribution(entry.distribution, distribution)]
    required = [entry for entry in entries if zoo().requires(distribution, entry.distribution)]
    return own[0] if own else required[0] if len(required) == 1 else None


def engines(entries: Sequence[Entry]) -> Entry | None:
    """ganzoo's own entry: what the engine itself means by a name."""
    return of_distribution("ganzoo", entries)
