"""A small generator and discriminator for each kind. They refuse samples of other shapes."""

import math

import torch
from torch import nn

from ganzoo import Discriminator, Generator, OptionError, Shape


def expect(sample_shape: Shape, sides: int, what: str) -> None:
    if len(sample_shape) != sides:
        raise OptionError(f"these are no {what}: {tuple(sample_shape)}.")


class Dense(Generator):
    """Latents through one hidden layer, to samples of any shape."""

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        self.latent_dim = 6
        self.network = nn.Sequential(
            nn.Linear(6, 16), nn.LeakyReLU(0.2), nn.Linear(16, math.prod(sample_shape)), nn.Unflatten(1, sample_shape)
        )

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.network(latents)


class DenseDiscriminator(Discriminator):
    """Samples of any shape through one hidden layer."""

    per_sample = True

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Flatten(), nn.Linear(math.prod(sample_shape), 16), nn.LeakyReLU(0.2), nn.Linear(16, 1), nn.Flatten(0)
        )

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.network(samples)


class WaveformGenerator(Generator):
    """Sound by transposed convolutions."""

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        expect(sample_shape, 2, "recordings")
        if sample_shape[1] % 100:
            raise OptionError(f"recordings are of hundreds of samples, not of {sample_shape[1]}.")
        self.latent_dim = 6
        self.network = nn.Sequential(
            nn.Linear(6, 4 * (sample_shape[1] // 100)),
            nn.Unflatten(1, (4, sample_shape[1] // 100)),
            nn.ConvTranspose1d(4, 4, 10, 10),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose1d(4, sample_shape[0], 10, 10),
            nn.Tanh(),
        )

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.network(latents)


class WaveformDiscriminator(Discriminator):
    """A score for each of several stretches of sound, at two scales."""

    per_sample = True

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        expect(sample_shape, 2, "recordings")
        self.scales = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(sample_shape[0], 4, side, side), nn.LeakyReLU(0.2), nn.Conv1d(4, 1, 5, 5), nn.Flatten()
            )
            for side in (20, 40)
        )

    def forward(self, samples: torch.Tensor) -> list[torch.Tensor]:
        return [scale(samples) for scale in self.scales]


class TokenGenerator(Dense):
    """A share for each letter."""

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return super().forward(latents).softmax(-1)


class TokenDiscriminator(DenseDiscriminator):
    """Letters through one hidden layer."""


class ClipGenerator(Dense):
    """Frames from one layer."""

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__(sample_shape)
        expect(sample_shape, 4, "clips")

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return super().forward(latents).tanh()


class ClipDiscriminator(Discriminator):
    """Frames by convolutions over time and place."""

    per_sample = True

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        expect(sample_shape, 4, "clips")
        self.network = nn.Sequential(nn.Conv3d(sample_shape[1], 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv3d(4, 1, 2))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.network(samples.transpose(1, 2)).flatten(1)


class VolumeGenerator(Generator):
    """Volumes by transposed convolutions."""

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        expect(sample_shape, 4, "volumes")
        self.latent_dim = 6
        self.network = nn.Sequential(
            nn.Linear(6, 4 * 64),
            nn.Unflatten(1, (4, 4, 4, 4)),
            nn.ConvTranspose3d(4, sample_shape[0], 4, 4),
            nn.Tanh(),
        )

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.network(latents)


class VolumeDiscriminator(Discriminator):
    """Volumes by convolutions, with what its layers see."""

    per_sample = True

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        expect(sample_shape, 4, "volumes")
        self.first = nn.Conv3d(sample_shape[0], 4, 4, 4)
        self.last = nn.Linear(4 * 64, 1)

    def features(self, samples: torch.Tensor) -> list[torch.Tensor]:
        return [nn.functional.leaky_relu(self.first(samples), 0.2)]

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.last(self.features(samples)[0].flatten(1)).squeeze(1)


class RowGenerator(Dense):
    """Rows."""


class RowDiscriminator(DenseDiscriminator):
    """Rows."""


class SeriesGenerator(Dense):
    """All steps at once."""


class SeriesDiscriminator(Discriminator):
    """Steps by convolutions over time."""

    per_sample = True

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        expect(sample_shape, 2, "series")
        self.network = nn.Sequential(
            nn.Conv1d(sample_shape[1], 8, 5, 2),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(8 * ((sample_shape[0] - 3) // 2), 1),
        )

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.network(samples.transpose(1, 2)).squeeze(1)


class PlaneGenerator(Dense):
    """Images from one layer."""

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return super().forward(latents).tanh()


class PlaneDiscriminator(DenseDiscriminator):
    """Images through one hidden layer."""
