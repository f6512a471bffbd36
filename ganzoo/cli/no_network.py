"""The option --no-network, for the commands that may download something."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])


def no_network_option(command: Command) -> Command:
    """Adds --no-network to a command, which then runs inside `network_forbidden`."""
    text = "Download nothing; the same as GANZOO_OFFLINE=1."
    return click.option("--no-network", is_flag=True, expose_value=False, callback=forbid_network, help=text)(command)


def forbid_network(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
    """Forbids the network until the command has ended."""
    if given and not context.resilient_parsing:
        from ganzoo.datasets.network import network_forbidden

        context.with_resource(network_forbidden())
