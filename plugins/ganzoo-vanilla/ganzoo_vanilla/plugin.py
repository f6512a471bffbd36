"""What this plugin puts on the shelves. Imports no torch: the targets are imported when a recipe uses them."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo import Component, hookimpl

PAPER = "arXiv:1406.2661"


@hookimpl
def ganzoo_components() -> Sequence[Component]:
    """The generator and the discriminator, both fully connected."""
    return [
        Component("generator", "mlp", "ganzoo_vanilla.networks:MLPGenerator", "fully connected", PAPER),
        Component("discriminator", "mlp", "ganzoo_vanilla.networks:MLPDiscriminator", "fully connected", PAPER),
    ]
