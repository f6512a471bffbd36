"""Sixty-four made-up examples of each kind, and as many to test on."""

import hashlib
import math
from typing import ClassVar

import torch

from ganzoo import Dataset, DatasetInfo, Examples, Field

N = 64

LETTERS = "abcdefghijklmnopqrstuvwxyz "


class MadeUp(Dataset):
    """Examples drawn from a seed."""

    kind = "image"
    field = Field((), "float32")
    details: ClassVar = {}
    extractor = ""

    def draw(self, stream):
        raise NotImplementedError

    def info(self, root):
        return DatasetInfo(
            fields={"real": self.field}, size=N, kind=self.kind, details=self.details, extractor=self.extractor
        )

    def load(self, root, split="train"):
        made = self.draw(torch.Generator().manual_seed(int(split == "test"))).to(self.field.torch_dtype)
        digest = hashlib.sha256(made.numpy().tobytes()).hexdigest()
        return Examples(tensors={"real": made}, checksum=f"sha256:{digest}", origin="made up")


def uniform(stream, *shape):
    return torch.rand(N, *shape, generator=stream)


class WaveformData(MadeUp):
    """Tones."""

    kind, field, details = "third-waveform", Field((1, 16000), "int16"), {"rate": 8000}

    def draw(self, stream):
        pitch = 200 + 400 * uniform(stream, 1, 1)
        return 20000 * torch.sin(2 * math.pi * pitch * torch.arange(16000) / 8000)


class TokenData(MadeUp):
    """Words of letters that follow one another."""

    kind, field, details = "third-token", Field((17,), "int64"), {"alphabet": LETTERS}

    def draw(self, stream):
        return ((27 * uniform(stream, 1)).floor() + torch.arange(17)) % 27


class ClipData(MadeUp):
    """Stripes that move."""

    kind, field = "third-clip", Field((4, 3, 8, 8), "uint8")

    def draw(self, stream):
        moved = torch.arange(8) + torch.arange(4)[:, None, None, None] + (8 * uniform(stream, 1, 1, 1, 1)).floor()
        return 200 * (moved % 8 < 3) + 50 * uniform(stream, 4, 3, 8, 8)


class VolumeData(MadeUp):
    """Balls."""

    kind, field = "third-volume", Field((1, 16, 16, 16), "uint8")

    def draw(self, stream):
        at = torch.stack(torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij")) - 7.5
        return 200 * (at.square().sum(0) < 25) + 50 * uniform(stream, 1, 16, 16, 16)


class RowData(MadeUp):
    """Columns of very different sizes."""

    kind, field = "third-row", Field((12,), "float32")
    details: ClassVar = {
        "columns": tuple(f"column {number}" for number in range(12)),
        "scales": tuple(2.0**number for number in range(12)),
    }

    def draw(self, stream):
        return torch.randn(N, 12, generator=stream) * torch.tensor(self.details["scales"])


class SeriesData(MadeUp):
    """Five waves each."""

    kind, field = "third-series", Field((24, 5), "float32")

    def draw(self, stream):
        return torch.sin(torch.arange(24)[:, None] / 4 + 6 * uniform(stream, 1, 5))


class PlaneData(MadeUp):
    """Images of four channels."""

    field, extractor = Field((4, 16, 16), "uint8"), "flatten"

    def draw(self, stream):
        return 255 * (torch.arange(16) < 16 * uniform(stream, 4, 1, 1)).expand(N, 4, 16, 16)
