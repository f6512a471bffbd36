"""Registration."""

from ganzoo import Component, hookimpl


@hookimpl
def ganzoo_components():
    return [
        Component("generator", "labelled", "hydra.networks:Labelled", "an image of a class"),
        Component("generator", "masked", "hydra.networks:Masked", "an image and a mask"),
        Component("discriminator", "two-heads", "hydra.networks:TwoHeads", "a score and logits of classes"),
        Component("discriminator", "side-head", "hydra.networks:SideHead", "the same, by a method of its own"),
        Component("discriminator", "scales", "hydra.networks:Scales", "a score a patch, at two scales"),
        Component("game", "classes", "hydra.games:Classes", "with the class as a second task", "arXiv:1610.09585"),
        Component("game", "layers", "hydra.games:Layers", "an image in front of another, by a mask"),
        Component("dataset", "stripes", "hydra.data:Stripes", "stripes of three kinds"),
        Component("recipe", "classes_by_two_heads", "hydra:two_heads.toml", "one forward pass"),
        Component("recipe", "classes_by_a_method", "hydra:side_head.toml", "a method for the class"),
        Component("recipe", "layers", "hydra:layers.toml", "a generator of several tensors"),
    ]
