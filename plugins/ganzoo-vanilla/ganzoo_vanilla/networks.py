"""The networks of the MLP GAN (Goodfellow et al., 2014, arXiv:1406.2661), in the sizes that tutorials have settled on."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

from annotated_types import Ge, Len
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, Shape

Width = Annotated[int, Ge(1)]
Widths = Annotated[tuple[Width, ...], Len(1)]


def layers(sizes: tuple[int, ...]) -> list[nn.Module]:
    """Linear layers from each size to the next, each followed by LeakyReLU 0.2."""
    return [
        module
        for inputs, outputs in pairwise(sizes)
        for module in (nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True))
    ]


class MLPGenerator(Generator):
    """Fully connected generator: latents -> hidden layers with LeakyReLU 0.2 -> one sample of any shape.

    Shapes: latents (N, latent_dim) -> samples (N, *sample_shape), images in [-1, 1].
    latent_dim: random numbers a sample; hidden: the layers' widths;
    output: "tanh" for images, "none" for samples that are not held in [-1, 1], such as points.
    """

    def __init__(
        self,
        sample_shape: Shape,
        *,
        latent_dim: Annotated[int, Ge(1)] = 100,
        hidden: Widths = (256, 512, 1024),
        output: Literal["tanh", "none"] = "tanh",
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.sample_shape = tuple(sample_shape)
        last = [nn.Linear(hidden[-1], math.prod(self.sample_shape))]
        self.network = nn.Sequential(
            *layers((latent_dim, *hidden)), *last, nn.Tanh() if output == "tanh" else nn.Identity()
        )

    def forward(self, latents: Tensor) -> Tensor:
        """latents (N, latent_dim) -> samples (N, *sample_shape)."""
        samples: Tensor = self.network(latents).view(-1, *self.sample_shape)
        return samples


class MLPDiscriminator(Discriminator):
    """Fully connected discriminator: the sample's numbers -> hidden layers with LeakyReLU 0.2 -> one logit.

    Shapes: samples (N, *sample_shape) -> scores (N,).
    hidden: the layers' widths.
    """

    per_sample = True

    def __init__(self, sample_shape: Shape, *, hidden: Widths = (512, 256)) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Flatten(), *layers((math.prod(sample_shape), *hidden)), nn.Linear(hidden[-1], 1)
        )

    def forward(self, samples: Tensor) -> Tensor:
        """samples (N, *sample_shape) -> scores (N,), logits."""
        scores: Tensor = self.network(samples).squeeze(1)
        return scores
