"""Differentiable changes of all that a discriminator sees, real and generated samples alike.

Where real and generated samples go through the same random change, the generator cannot tell it from the data only if
the change can be undone in distribution: each of these leaves a share of the samples, or all of them, recognisable
(Zhao et al., 2020, arXiv:2006.10738; Karras et al., 2020, arXiv:2006.06676, Section 2.2).
"""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ganzoo.core.data import Shape
from ganzoo.core.interfaces import Augmentation
from ganzoo.core.noise import joint
from ganzoo.errors import OptionError

Share = Annotated[float, Interval(gt=0.0, le=1.0)]
Probability = Annotated[float, Interval(ge=0.0, le=1.0)]


class InstanceNoise(Augmentation):
    """Gaussian noise on every number (Sønderby et al., 2017, arXiv:1610.04490, Section 3), for samples of any shape.

    It makes the distributions of real and generated samples overlap, so that the discriminator cannot be sure.
    std: standard deviation of the noise, in the units of the samples.
    """

    def __init__(self, *, std: Annotated[float, Interval(ge=0.0, le=100.0)] = 0.1) -> None:
        super().__init__()
        self.std = std

    def forward(self, samples: Tensor) -> Tensor:
        """samples (N, *sample_shape) -> the same with noise."""
        size = samples.shape
        return samples + self.std * joint(torch.randn, *size, dtype=samples.dtype, device=samples.device)


class Flip(Augmentation):
    """Turns images left to right, each with a probability.

    Shapes: images (N, channels, height, width) -> the same. probability: of turning an image.
    Raises: OptionError where samples are no images.
    """

    def __init__(self, sample_shape: Shape, *, probability: Probability = 0.5) -> None:
        super().__init__()
        require_images("flip", sample_shape)
        self.probability = probability

    def forward(self, samples: Tensor) -> Tensor:
        """Images (N, channels, height, width) -> some of them mirrored."""
        turned = joint(torch.rand, len(samples), 1, 1, 1, device=samples.device) < self.probability
        return torch.where(turned, samples.flip(-1), samples)


class Translation(Augmentation):
    """Shifts images by random whole pixels; what is uncovered is 0 (DiffAugment, arXiv:2006.10738, Section 3.3).

    Shapes: images (N, channels, height, width) -> the same. share: of height and width, the furthest that it shifts.
    Raises: OptionError where samples are no images.
    """

    def __init__(self, sample_shape: Shape, *, share: Share = 0.125) -> None:
        super().__init__()
        require_images("translation", sample_shape)
        self.share = share

    def forward(self, samples: Tensor) -> Tensor:
        """Images (N, channels, height, width) -> each shifted by its own whole number of pixels."""
        n, _, *sides = samples.shape
        for axis, side in enumerate(sides, start=2):
            furthest = int(side * self.share + 0.5)
            drawn = joint(torch.rand, n, 1, device=samples.device) * (2 * furthest + 1)
            wanted = torch.arange(side, device=samples.device) + drawn.floor().long() - furthest  # (N, side)
            inside = (wanted >= 0) & (wanted < side)
            shape = [n, 1, *(side if axis == each else 1 for each in (2, 3))]
            index = wanted.clamp(0, side - 1).view(shape).expand_as(samples)
            shifted = samples.gather(axis, index)
            samples = torch.where(inside.view(shape), shifted, torch.zeros_like(shifted))
        return samples


class Cutout(Augmentation):
    """Greys out a random rectangle of each image (DiffAugment, arXiv:2006.10738, Section 3.3).

    Shapes: images (N, channels, height, width) -> the same. share: of height and width, the rectangle's sides.
    Raises: OptionError where samples are no images.
    """

    def __init__(self, sample_shape: Shape, *, share: Share = 0.5) -> None:
        super().__init__()
        require_images("cutout", sample_shape)
        self.share = share

    def forward(self, samples: Tensor) -> Tensor:
        """Images (N, channels, height, width) -> the same with a grey rectangle each."""
        n, _, *sides = samples.shape
        hole = torch.ones(n, 1, 1, 1, dtype=torch.bool, device=samples.device)
        for axis, side in enumerate(sides, start=2):
            length = int(side * self.share + 0.5)
            centre = (joint(torch.rand, n, 1, device=samples.device) * (side + 1 - length % 2)).floor()
            along = torch.arange(side, device=samples.device) - (centre - length // 2)
            shape = [n, 1, *(side if axis == each else 1 for each in (2, 3))]
            hole = hole & ((along >= 0) & (along < length)).view(shape)
        return samples.masked_fill(hole, 0.0)


def require_images(name: str, sample_shape: Shape) -> None:
    """Raises: OptionError unless samples are images (channels, height, width)."""
    if len(sample_shape) != 3:
        raise OptionError(
            f"it changes images (channels, height, width), and samples are {tuple(sample_shape)}.",
            remedy=f'Take the [[augment]] "{name}" out; "instance-noise" suits samples of any shape.',
        )
