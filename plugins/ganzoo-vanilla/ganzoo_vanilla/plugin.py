"""What this plugin puts on the shelves. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo import Component, hookimpl


@hookimpl
def ganzoo_components() -> Sequence[Component]:
    """The multilayer-perceptron generator and discriminator."""
    paper = "arXiv:1406.2661"
    return [
        Component("generator", "mlp", "ganzoo_vanilla.networks:MLPGenerator", "fully connected layers", paper),
        Component("discriminator", "mlp", "ganzoo_vanilla.networks:MLPDiscriminator", "fully connected layers", paper),
    ]
