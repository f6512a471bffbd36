"""What this plugin puts on the shelves. Imports no torch: the target is imported when a recipe uses it."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo import Component, hookimpl


@hookimpl
def ganzoo_components() -> Sequence[Component]:
    """The critic. The loss, weight clipping and the gradient penalty are the engine's, generators other families'."""
    summary = "convolutional critic without batch norm"
    return [Component("discriminator", "wgan", "ganzoo_wgan.networks:ConvCritic", summary, "arXiv:1704.00028")]
