"""The order of batches is a pure function of seed, epoch and position."""

from __future__ import annotations

import pytest
import torch

from ganzoo.core.data import Examples
from ganzoo.errors import DatasetError
from ganzoo.kinds.pixels import to_unit_range
from ganzoo.training.device_data import WHOLE, DeviceData, Shard

ORDER = [[6, 3, 1, 5], [8, 7, 0, 2], [9, 4, 6, 3], [4, 8, 5, 0]]
"""Ten examples in batches of four, seed 0: an epoch and one batch of the next, as runs have had them from the first."""


def numbered(n: int, batch_size: int, seed: int = 0) -> DeviceData:
    """n 1x1 images; the label of each is its number."""
    tensors = {"real": torch.zeros(n, 1, 1, 1, dtype=torch.uint8), "label": torch.arange(n)}
    examples = Examples(tensors=tensors, checksum="sha256:0", origin="the test")
    return DeviceData(examples, ("real", "label"), batch_size=batch_size, seed=seed, device=torch.device("cpu"))


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
    def unit(key: str, stored: torch.Tensor) -> torch.Tensor:
        return to_unit_range(stored)

    tensors = {"real": torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)}
    examples = Examples(tensors=tensors, checksum="sha256:0", origin="the test")
    data = DeviceData(
        examples, ("real",), batch_size=2, seed=0, device=torch.device("cpu"), to_unit=lambda _, x: to_unit_range(x)
    )
    batch = data.first(2)["real"]
    assert batch.dtype == torch.float32
    assert batch.flatten().tolist() == [-1.0, 1.0]


def domains(
    a: int, b: int, batch_size: int, *, seed: int = 0, paired: bool = False, shard: Shard = WHOLE
) -> DeviceData:
    """Two domains of a and b examples, each of which is its own number."""
    tensors = {"a": torch.arange(a), "b": torch.arange(b)}
    examples = Examples(tensors=tensors, checksum="sha256:0", origin="the test")
    device = torch.device("cpu")
    return DeviceData(examples, ("a", "b"), batch_size=batch_size, seed=seed, device=device, paired=paired, shard=shard)


def test_the_order_of_data_that_belong_together_is_the_one_that_runs_so_far_have_had() -> None:
    assert labels(numbered(10, 4), 4) == ORDER
    data = domains(10, 10, 4, paired=True)
    for expected in ORDER:
        batch = data()
        assert batch["a"].tolist() == batch["b"].tolist() == expected


def test_unpaired_domains_have_orders_and_epochs_of_their_own() -> None:
    data = domains(12, 8, 4)
    assert data.batches_per_epoch == 3
    batches = [data() for _ in range(6)]
    a, b = (torch.stack([batch[key] for batch in batches]).flatten() for key in ("a", "b"))
    assert [epoch.sort().values.tolist() for epoch in a.split(12)] == [list(range(12))] * 2
    assert [epoch.sort().values.tolist() for epoch in b.split(8)] == [list(range(8))] * 3
    assert len({tuple(epoch.tolist()) for epoch in (*a.split(12), *b.split(8))}) == 5


def test_unpaired_domains_of_one_size_are_not_paired_by_accident() -> None:
    batch = domains(100, 100, 100)()
    # Two independent orders of 100 agree in one place on average, and in ten or more once in a million.
    assert (batch["a"] == batch["b"]).sum() < 10


def test_seeking_unpaired_domains_gives_what_drawing_would_have_given() -> None:
    def drawn(data: DeviceData, n: int) -> list[list[list[int]]]:
        return [[batch["a"].tolist(), batch["b"].tolist()] for batch in (data() for _ in range(n))]

    straight = drawn(domains(10, 7, 4), 12)
    for start in range(12):
        data = domains(10, 7, 4)
        data.seek(start)
        assert drawn(data, 12 - start) == straight[start:]
    assert drawn(domains(10, 7, 4, seed=1), 12) != straight


def test_the_first_examples_of_each_domain_are_as_the_files_have_them() -> None:
    batch = domains(5, 3, 2).first(4)
    assert batch["a"].tolist() == [0, 1, 2, 3]
    assert batch["b"].tolist() == [0, 1, 2, 0]


def test_pairs_with_a_part_missing_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"there are 3 of a, 4 of b"):
        domains(3, 4, 2, paired=True)


@pytest.mark.parametrize("paired", [True, False])
def test_the_shards_of_all_ranks_together_are_the_global_batch(paired: bool) -> None:
    whole = domains(10, 10 if paired else 7, 6, paired=paired)
    ranks = [domains(10, 10 if paired else 7, 6, paired=paired, shard=(rank, 3)) for rank in range(3)]
    for _ in range(5):
        batch, shards = whole(), [data() for data in ranks]
        assert [len(shard["a"]) for shard in shards] == [2, 2, 2]
        for key in ("a", "b"):
            assert torch.cat([shard[key] for shard in shards]).equal(batch[key])
    assert ranks[1].batch_size == 6
    assert ranks[1].batches_per_epoch == whole.batches_per_epoch


def test_ranks_that_cannot_share_a_batch_equally_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"3 ranks cannot share batches of 4") as caught:
        domains(10, 10, 4, shard=(0, 3))
    assert "train.batch_size to a multiple of 3" in str(caught.value)
