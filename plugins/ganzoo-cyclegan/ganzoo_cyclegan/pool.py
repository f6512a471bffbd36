"""The history of generated images that CycleGAN's discriminators learn from (Shrivastava et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganzoo import Shape


class ImagePool(nn.Module):
    """The last images that a generator made, handed out in the place of new ones half of the time.

    So a discriminator does not forget what the generator made before (arXiv:1612.07828, Section 2.3; CycleGAN,
    Section 4, has 50 images). It is a module: images and count are in every checkpoint. What it draws comes from the
    device's default random stream, which is there, too.

    size: images kept, 0 for none; shape: of one.
    """

    images: Tensor

    def __init__(self, size: int, shape: Shape) -> None:
        super().__init__()
        self.size = size
        self.held = 0  # a Python number: nothing waits for the device to know it
        self.register_buffer("images", torch.zeros(size, *shape))

    @torch.no_grad()
    def forward(self, new: Tensor) -> Tensor:
        """New images (N, *shape) -> as many, without gradients: while the pool fills the new ones themselves."""
        new = new.detach()
        if not self.size:
            return new
        room = min(self.size - self.held, len(new))
        self.images[self.held : self.held + room] = new[:room]
        self.held += room
        return torch.cat([new[:room], *(self.exchange(some) for some in new[room:].split(self.size))])

    def exchange(self, new: Tensor) -> Tensor:
        """Each new image (at most `size` of them) is, with even chances, given back or traded for one of the pool."""
        place = torch.randperm(self.size, device=new.device)[: len(new)]
        trade = torch.rand(len(new), 1, 1, 1, device=new.device) < 0.5
        old, new = self.images[place], new.to(self.images.dtype)
        self.images[place] = torch.where(trade, new, old)
        return torch.where(trade, old, new)

    def get_extra_state(self) -> Tensor:
        """How many images are held, as checkpoints keep it."""
        return torch.tensor(self.held, dtype=torch.int64, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """The inverse of `get_extra_state`."""
        self.held = int(state)
