"""A checkpoint comes back bit for bit, or is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from ganzoo.core.optimizers import adam
from ganzoo.datasets.temporaries import temporary_name
from ganzoo.errors import CheckpointError
from ganzoo.runs.checkpoint import (
    Checkpoint,
    checkpoints_of,
    load_checkpoint,
    pack_optimizer,
    save_checkpoint,
    unpack_optimizer,
)


def small() -> Checkpoint:
    return Checkpoint({"generator": {"weight": torch.arange(6.0).view(2, 3)}}, {"step": 3, "seconds": 0.1 + 0.2})


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "step-00000003", small())
    loaded = load_checkpoint(tmp_path / "step-00000003")
    assert torch.equal(loaded.tensors["generator"]["weight"], small().tensors["generator"]["weight"])
    assert loaded.state["step"] == 3
    assert loaded.state["seconds"] == 0.1 + 0.2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000003"]


@pytest.mark.parametrize("file", ["generator.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, file: str, damage: str) -> None:
    path = tmp_path / "step-00000003"
    save_checkpoint(path, small())
    content = bytearray((path / file).read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    if damage == "gone":
        (path / file).unlink()
    else:
        (path / file).write_bytes(content[: -1 if damage == "cut" else None])
    with pytest.raises(CheckpointError, match=file):
        load_checkpoint(path)


def test_a_half_written_checkpoint_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / temporary_name()).mkdir()
    assert checkpoints_of(tmp_path) == []


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path / "step-00000003", Checkpoint({}, {"step": object()}))
    assert list(tmp_path.iterdir()) == []


def test_tied_weights_are_saved_whole(tmp_path: Path) -> None:
    weight = torch.ones(2, 2)
    save_checkpoint(tmp_path / "c", Checkpoint({"generator": {"a": weight, "b": weight, "c": weight[0]}}, {}))
    loaded = load_checkpoint(tmp_path / "c").tensors["generator"]
    assert {name: tuple(tensor.shape) for name, tensor in loaded.items()} == {"a": (2, 2), "b": (2, 2), "c": (2,)}


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adam(p, lr=0.1, fused=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True),
    ],
)
def test_an_optimizer_goes_on_as_if_it_had_not_stopped(make: object, tmp_path: Path) -> None:
    def steps(network: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
        for number in range(count):
            optimizer.zero_grad()
            network(torch.full((1, 3), float(number + 1))).sum().backward()
            optimizer.step()

    torch.manual_seed(0)
    straight = nn.Linear(3, 2)
    stopped = nn.Linear(3, 2)
    stopped.load_state_dict(straight.state_dict())
    one, other = make(straight.parameters()), make(stopped.parameters())  # type: ignore[operator]
    steps(straight, one, 2)
    steps(stopped, other, 2)
    tensors, rest = pack_optimizer(other)
    save_checkpoint(tmp_path / "c", Checkpoint({"optimizer-x": tensors}, {"optimizers": {"x": rest}}))
    loaded = load_checkpoint(tmp_path / "c")
    resumed = make(stopped.parameters())  # type: ignore[operator]
    unpack_optimizer(resumed, loaded.tensors["optimizer-x"], loaded.state["optimizers"]["x"])
    steps(straight, one, 2)
    steps(stopped, resumed, 2)
    assert torch.equal(straight.weight, stopped.weight)


def test_an_optimizer_of_weights_laid_out_channels_last_goes_on_as_it_was() -> None:
    """Files know no layout; a fused step over tensors in two of them would mix up the weights' averages."""

    def network() -> nn.Sequential:
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 5, 4, stride=2), nn.Flatten(), nn.Linear(45, 1))
        return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def steps(module: nn.Module, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
        for step in range(first, last):
            images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
            optimizer.zero_grad()
            module(images).square().mean().backward()
            optimizer.step()

    whole, first, second = network(), network(), network()
    assert whole[0].weight.is_contiguous(memory_format=torch.channels_last)
    steps(whole, adam(whole.parameters(), lr=1e-2), 0, 6)
    before, after = adam(first.parameters(), lr=1e-2), adam(second.parameters(), lr=1e-2)
    steps(first, before, 0, 3)
    second.load_state_dict(load(save({name: value.contiguous() for name, value in first.state_dict().items()})))
    tensors, rest = pack_optimizer(before)
    unpack_optimizer(after, load(save({name: value.contiguous() for name, value in tensors.items()})), rest)
    steps(second, after, 3, 6)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))
