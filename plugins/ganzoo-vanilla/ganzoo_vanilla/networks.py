"""The networks of the MLP GAN (Goodfellow et al., 2014, arXiv:1406.2661), in the sizes that practice settled on.

The paper's own generators mix rectifiers and sigmoids, its discriminators use maxout; LeakyReLU in both and tanh at the
end are what later work made the habit. Its dropout in the discriminator (Section 5) is an option here.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

from annotated_types import Ge, Interval, Len
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, Shape

Width = Annotated[int, Ge(1)]
Widths = Annotated[tuple[Width, ...], Len(1)]

SLOPE = 0.2
"""Of LeakyReLU for negative inputs."""


class MLPGenerator(Generator):
    """Fully connected generator: latents -> hidden layers with LeakyReLU 0.2 -> one sample of any shape.

    Shapes: latents (N, latent_dim) -> samples (N, *sample_shape), in [-1, 1] unless `output` is "none".
    latent_dim: random numbers a sample; hidden: the layers' widths, from the latents on;
    output: "tanh" for images; "none" for samples that are not held in [-1, 1], such as points;
    batch_norm: batch normalisation before each hidden activation.
    """

    def __init__(
        self,
        sample_shape: Shape,
        *,
        latent_dim: Width = 100,
        hidden: Widths = (256, 512, 1024),
        output: Literal["tanh", "none"] = "tanh",
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.sample_shape = tuple(sample_shape)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((latent_dim, *hidden)):
            layers.append(nn.Linear(inputs, outputs))
            if batch_norm:
                layers.append(nn.BatchNorm1d(outputs))
            layers.append(nn.LeakyReLU(SLOPE, inplace=True))
        layers.append(nn.Linear(hidden[-1], math.prod(self.sample_shape)))
        if output == "tanh":
            layers.append(nn.Tanh())
        self.network = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        """Latents (N, latent_dim) -> samples (N, *sample_shape)."""
        samples: Tensor = self.network(latents).unflatten(1, self.sample_shape)
        return samples


class MLPDiscriminator(Discriminator):
    """Fully connected discriminator: the sample's numbers -> hidden layers with LeakyReLU 0.2 -> one logit.

    Shapes: samples (N, *sample_shape) -> scores (N,), unbounded.
    hidden: the layers' widths, from the sample on; dropout: the share of each hidden layer that is dropped in training.
    """

    per_sample = True

    def __init__(
        self,
        sample_shape: Shape,
        *,
        hidden: Widths = (512, 256),
        dropout: Annotated[float, Interval(ge=0.0, lt=1.0)] = 0.0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise((math.prod(sample_shape), *hidden)):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE, inplace=True)]
            if dropout:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(hidden[-1], 1))
        self.network = nn.Sequential(*layers)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (N, *sample_shape) -> scores (N,), logits."""
        scores: Tensor = self.network(samples).squeeze(1)
        return scores
