"""Stripes."""

import hashlib

import torch

from ganzoo import Dataset, DatasetInfo, Examples, Field


class Stripes(Dataset):
    """Images of 12 x 12 with stripes down, across or both."""

    def info(self, root):
        fields = {"real": Field((1, 12, 12), "uint8"), "label": Field.label(("down", "across", "both"))}
        return DatasetInfo(fields=fields, size=60)

    def load(self, root, split="train"):
        label = torch.arange(60) % 3
        one = 100 * (torch.arange(12) % 4 < 2).expand(60, 12, 12)
        down, across = (label != 1).view(60, 1, 1), (label != 0).view(60, 1, 1)
        images = (one * down + one.transpose(1, 2) * across + torch.arange(60).view(60, 1, 1) // 3).to(torch.uint8)[
            :, None
        ]
        checksum = f"sha256:{hashlib.sha256(images.numpy().tobytes()).hexdigest()}"
        return Examples(tensors={"real": images, "label": label}, checksum=checksum, origin="made up")
