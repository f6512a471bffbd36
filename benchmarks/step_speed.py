"""How long is a step of the vanilla recipe, against the loop that a tutorial would write?

    python benchmarks/step_speed.py [--rounds 9] [--steps 40] [--data-root DIR]

Same networks, same batch, same process, float32, the recipe's device (the CPU by default). The contestants take turns,
`--steps` steps at a time; the table shows the median of the rounds and the ratio to the plain loop of the same round.
The plain loop is the tutorial's: DataLoader over torchvision's MNIST with ToTensor and Normalize, Adam, BCELoss on
sigmoid outputs, no detach, `.item()` and a print every batch (into the void). ganzoo's is the recipe as it runs, with
its averages and its rows. The floor is the step's matrix products alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from ganzoo.datasets.obtain import obtain
from ganzoo.datasets.root import data_root
from ganzoo.engine.data import DeviceData
from ganzoo.interfaces import Examples
from ganzoo.parts import build_game
from ganzoo.recipe import read_recipe
from ganzoo.training import Training

RECIPE = Path(__file__).parent.parent / "recipes" / "vanilla_mnist.toml"
Step = Callable[[], object]


def mlp(sizes: tuple[int, ...], last: nn.Module) -> nn.Sequential:
    """Linear layers with LeakyReLU 0.2 between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers[:-1], last)


def plain_loop(examples: Examples) -> Step:
    """A tutorial's loop. Its samples come as torchvision's MNIST gives them: a PIL image each, then the transforms."""
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision.datasets import VisionDataset
    from torchvision.transforms import Compose, Normalize, ToTensor

    images, labels = examples.tensors["image"].squeeze(1), examples.tensors["label"]

    class AsTorchvisionHasIt(VisionDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(root=None, transform=Compose([ToTensor(), Normalize([0.5], [0.5])]))

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return self.transform(Image.fromarray(images[index].numpy())), int(labels[index])

    generator = mlp((100, 256, 512, 1024, 784), nn.Tanh())
    discriminator = mlp((784, 512, 256, 1), nn.Sigmoid())
    criterion = nn.BCELoss()
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loader: DataLoader[tuple[torch.Tensor, int]] = DataLoader(AsTorchvisionHasIt(), batch_size=64, shuffle=True)

    def batches() -> Iterator[torch.Tensor]:
        for _ in count():
            yield from (images for images, _ in loader)

    stream = batches()
    void = Path(os.devnull).open("w")  # noqa: SIM115  # as long as the process lives

    def step() -> None:
        real = next(stream).view(-1, 784)
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        fake = generator(torch.randn(len(real), 100))
        discriminator_optimizer.zero_grad()
        loss_d = (criterion(discriminator(real), ones) + criterion(discriminator(fake), zeros)) / 2
        loss_d.backward()
        discriminator_optimizer.step()
        generator_optimizer.zero_grad()
        loss_g = criterion(discriminator(generator(torch.randn(len(real), 100))), ones)
        loss_g.backward()
        generator_optimizer.step()
        print(f"[D loss: {loss_d.item():f}] [G loss: {loss_g.item():f}]", file=void)

    return step


def ganzoo_loop(examples: Examples, overrides: tuple[str, ...] = ()) -> Step:
    """The recipe as `ganzoo run` plays it, with a row of means read every `log_every` steps."""
    recipe = read_recipe(RECIPE, overrides=overrides)
    info = obtain(recipe.dataset, recipe.fallback, data_root(None), allow_fallback=True).info
    game = build_game(recipe, info)
    data = DeviceData(examples, ("image",), batch_size=64, seed=0, device=torch.device("cpu"))
    training = Training(recipe, game, data, 10**9)

    def step() -> None:
        training.advance()
        if training.step % recipe.train.log_every == 0:
            training.row()
            training.means.clear()

    return step


def products_alone() -> Step:
    """The matrix products of a step, nothing else: what no loop in float32 on this machine can be faster than."""
    generator, discriminator = (100, 256, 512, 1024, 784), (784, 512, 256, 1)
    sizes = {pair: torch.randn(pair[1], pair[0]) for net in (generator, discriminator) for pair in pairwise(net)}
    held = {n: torch.randn(64, n) for pair in sizes for n in pair}

    def forward(net: tuple[int, ...]) -> None:
        for pair in pairwise(net):
            held[pair[0]] @ sizes[pair].t()

    def to_weights(net: tuple[int, ...]) -> None:
        for pair in pairwise(net):
            held[pair[1]].t() @ held[pair[0]]

    def to_inputs(net: tuple[int, ...], *, first: bool) -> None:
        for pair in list(pairwise(net))[0 if first else 1 :]:
            held[pair[1]] @ sizes[pair]

    def step() -> None:
        forward(generator)  # fakes for the discriminator
        for _ in ("real", "fake"):
            forward(discriminator)
            to_weights(discriminator)
            to_inputs(discriminator, first=False)
        forward(generator)
        forward(discriminator)
        to_inputs(discriminator, first=True)  # through the discriminator, which stands still
        to_weights(generator)
        to_inputs(generator, first=False)

    return step


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--data-root", default=None)
    options = parser.parse_args()
    recipe = read_recipe(RECIPE)
    obtained = obtain(recipe.dataset, recipe.fallback, data_root(options.data_root), allow_fallback=True).load()
    torch.manual_seed(0)
    contestants = {
        "plain tutorial loop": plain_loop(obtained.examples),
        "ganzoo, the recipe": ganzoo_loop(obtained.examples),
        "ganzoo, without averages": ganzoo_loop(obtained.examples, ("ema.every=1000000",)),
        "matrix products alone": products_alone(),
    }
    for step in contestants.values():
        for _ in range(options.steps):
            step()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, step in contestants.items():
            start = time.perf_counter()
            for _ in range(options.steps):
                step()
            times[name].append((time.perf_counter() - start) / options.steps * 1e3)
    cpu = platform.processor() or platform.machine()
    table = Table(
        title=f"vanilla_mnist on {obtained.choice.entry.name}, batch 64, float32, {cpu}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    for column in ("loop", "ms a step", "steps a second", "times the plain loop"):
        table.add_column(column, justify="left" if column == "loop" else "right")
    plain = times["plain tutorial loop"]
    for name, taken in times.items():
        median = statistics.median(taken)
        ratio = statistics.median(p / t for p, t in zip(plain, taken, strict=True))
        table.add_row(name, f"{median:.2f}", f"{1e3 / median:.0f}", f"{ratio:.2f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
