"""What this plugin puts on the shelves. Imports no torch: the targets are imported when a recipe uses them."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo import Component, hookimpl

PAPER = "arXiv:1511.06434"


@hookimpl
def ganzoo_components() -> Sequence[Component]:
    """The generator and the discriminator, both convolutional."""
    return [
        Component("generator", "dcgan", "ganzoo_dcgan.networks:ConvGenerator", "transposed convolutions", PAPER),
        Component("discriminator", "dcgan", "ganzoo_dcgan.networks:ConvDiscriminator", "strided convolutions", PAPER),
    ]
