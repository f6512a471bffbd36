"""The order of batches is a pure function of seed, epoch and position."""

from __future__ import annotations

import torch

from ganzoo.engine.data import DeviceData
from ganzoo.interfaces import Examples


def numbered(n: int, batch_size: int, seed: int = 0) -> DeviceData:
    """n 1x1 images; the label of each is its number."""
    tensors = {"image": torch.zeros(n, 1, 1, 1, dtype=torch.uint8), "label": torch.arange(n)}
    examples = Examples(tensors=tensors, checksum="sha256:0", origin="the test")
    return DeviceData(examples, ("image", "label"), batch_size=batch_size, seed=seed, device=torch.device("cpu"))


def labels(data: DeviceData, batches: int) -> list[list[int]]:
    return [data()["label"].tolist() for _ in range(batches)]


def test_an_epoch_shows_every_sample_once_and_tops_up_the_last_batch() -> None:
    data = numbered(10, 4)
    first, second, third = labels(data, 3)
    assert data.batches_per_epoch == 3
    assert sorted([*first, *second, *third[:2]]) == list(range(10))
    assert third[2:] == first[:2]


def test_seeking_gives_the_batches_that_drawing_would_have_given() -> None:
    straight = labels(numbered(10, 4), 9)
    for drawn in range(9):
        data = numbered(10, 4)
        data.seek(drawn)
        assert labels(data, 9 - drawn) == straight[drawn:]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    one, other = numbered(100, 100), numbered(100, 100, seed=1)
    first, second = labels(one, 2)
    assert first != second
    assert labels(other, 1)[0] != first
    assert sorted(first) == sorted(second) == list(range(100))


def test_a_batch_larger_than_the_data_repeats_them() -> None:
    (batch,) = labels(numbered(3, 8), 1)
    assert len(batch) == 8
    assert set(batch) == {0, 1, 2}


def test_the_order_does_not_touch_the_streams_of_training() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    labels(numbered(10, 4), 6)
    assert torch.equal(before, torch.get_rng_state())


def test_images_come_as_floats_between_minus_one_and_one() -> None:
    tensors = {"image": torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)}
    examples = Examples(tensors=tensors, checksum="sha256:0", origin="the test")
    data = DeviceData(examples, ("image",), batch_size=2, seed=0, device=torch.device("cpu"))
    batch = data.first(2)["image"]
    assert batch.dtype == torch.float32
    assert batch.flatten().tolist() == [-1.0, 1.0]
