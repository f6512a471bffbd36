"""What this plugin puts on the shelves. Imports no torch: the targets are imported when a recipe uses them."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo import Component, hookimpl

CYCLEGAN, PIX2PIX = "arXiv:1703.10593", "arXiv:1611.07004"
RECIPES = {
    "cyclegan_folder": "CycleGAN on two folders of your own, horse2zebra say",
    "cyclegan_glyphs": "CycleGAN between thin white digits and thick coloured ones, offline",
    "pix2pix_folder": "pix2pix on pairs of your own, facades say",
    "pix2pix_glyphs": "pix2pix from thick coloured digits to thin white ones, offline",
}


@hookimpl
def ganzoo_components() -> Sequence[Component]:
    """Two games, two translators, the discriminator of patches, and recipes."""
    here = "ganzoo_cyclegan"
    return [
        Component("game", "cyclegan", f"{here}.cyclegan:CycleGAN", "two translators that undo each other", CYCLEGAN),
        Component("game", "pix2pix", f"{here}.pix2pix:Pix2Pix", "a translator that learns from pairs", PIX2PIX),
        Component("generator", "resnet-translator", f"{here}.networks:ResNetTranslator", "residual blocks", CYCLEGAN),
        Component(
            "generator", "unet-translator", f"{here}.networks:UNetTranslator", "an hourglass with skips", PIX2PIX
        ),
        Component("discriminator", "patch", f"{here}.networks:PatchDiscriminator", "a score for each patch", PIX2PIX),
        *(
            Component("recipe", name, f"{here}:recipes/{name}.toml", summary, CYCLEGAN if "cycle" in name else PIX2PIX)
            for name, summary in RECIPES.items()
        ),
    ]
