"""Averages follow the weights, step aside when asked, and cost nothing in between."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganzoo.training.ema import WeightAverages

LATE = 1_000
"""A step at which the memory has long grown to that of the decay (0.9 is reached at step 80)."""


def test_the_average_is_the_textbook_recursion() -> None:
    player = nn.Linear(1, 1, bias=False)
    averages = WeightAverages({"generator": player}, decay=0.9)
    expected = None
    for step, weight in enumerate((1.0, 2.0, 4.0), start=LATE):
        with torch.no_grad():
            player.weight.fill_(weight)
        averages.update(step)
        expected = weight if expected is None else 0.9 * expected + 0.1 * weight
    assert averages.averaged["generator"].module.weight.item() == pytest.approx(expected, rel=1e-6)


def test_untrained_weights_are_soon_forgotten_whatever_the_decay() -> None:
    player = nn.Linear(1, 1, bias=False)
    averages = WeightAverages({"generator": player}, decay=0.999, every=4)
    for step in range(1, 401):
        with torch.no_grad():
            player.weight.fill_(1.0 if step <= 4 else 0.0)  # the weights of before training, then others
        averages.update(step)
    # a constant 0.999 would keep 0.999^396 = 0.67 of them
    assert averages.averaged["generator"].module.weight.item() < 1e-6


def test_the_memory_grows_to_that_of_the_decay_and_no_further() -> None:
    averages = WeightAverages({}, decay=0.999)
    effective_decay = [averages.effective_decay(step) for step in (1, 10, 100, 8_979, 8_980, 10**6)]
    assert effective_decay == sorted(effective_decay)
    assert effective_decay[0] == pytest.approx(2 / 11)
    assert effective_decay[3] < 0.999
    assert effective_decay[5] == 0.999


def test_updating_every_few_steps_keeps_the_memory_in_steps() -> None:
    player = nn.Linear(1, 1, bias=False)
    averages = WeightAverages({"generator": player}, decay=0.9, every=2)
    with torch.no_grad():
        player.weight.fill_(1.0)
    averages.update(LATE - 1)
    averages.update(LATE)
    with torch.no_grad():
        player.weight.fill_(0.0)
    averages.update(LATE + 1)
    averages.update(LATE + 2)
    # Two steps of 0.9 in one: 0.81 of the first value is left.
    assert averages.averaged["generator"].module.weight.item() == pytest.approx(0.81, rel=1e-6)


def test_players_show_their_average_inside_and_their_own_weights_after() -> None:
    player = nn.BatchNorm1d(2)
    averages = WeightAverages({"generator": player}, decay=0.5)
    averages.update(LATE)
    with torch.no_grad():
        player.weight.fill_(3.0)
        player.running_mean.fill_(7.0)  # type: ignore[union-attr]
    averages.update(LATE + 1)
    address = player.weight.data_ptr()
    with averages.applied():
        assert player.weight.tolist() == [2.0, 2.0]
        assert player.running_mean.tolist() == [3.5, 3.5]  # type: ignore[union-attr]  # of 0 and 7, like the weights
    assert player.weight.tolist() == [3.0, 3.0]
    assert player.weight.data_ptr() == address


def test_statistics_of_batch_norm_are_averaged_as_weights_are_and_counts_and_other_buffers_copied() -> None:
    player = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
    player.register_buffer("pool", torch.zeros(1))
    norm = player[0]
    averages = WeightAverages({"generator": player}, decay=0.9)
    copied = WeightAverages({"generator": player}, decay=0.9, statistics=False)
    by_tensors = WeightAverages({"generator": player}, decay=0.9)
    expected = None
    for step, value in enumerate((1.0, 2.0, 4.0), start=LATE):
        with torch.no_grad():
            for tensor in (norm.running_mean, norm.running_var, norm.weight, player.pool):
                tensor.fill_(value)
            norm.num_batches_tracked.fill_(int(value))
        expected = value if expected is None else 0.9 * expected + 0.1 * value
        for each in (averages, copied):
            each.update(step)
        old, new = by_tensors.coefficients(step, first=step == LATE)
        by_tensors.update_by_tensors(torch.tensor(old), torch.tensor(new))
    for each, statistic in ((averages, expected), (by_tensors, expected), (copied, 4.0)):
        average = each.averaged["generator"].module
        shown = [average[0].running_mean, average[0].running_var, average[0].weight, average.pool]
        assert [float(one) for one in shown] == pytest.approx([statistic, statistic, expected, 4.0], rel=1e-6)
        assert average[0].num_batches_tracked.item() == 4


def test_the_memory_is_shorter_before_the_warmup_and_the_same_after_it() -> None:
    """The window in steps is 1 / (1 - decay)."""
    warmed, plain = (WeightAverages({}, decay=0.9999, warmup=warmup) for warmup in (1000, 0))

    def window(averages: WeightAverages, step: int) -> float:
        return 1 / (1 - averages.effective_decay(step))

    assert window(warmed, 200) == pytest.approx(1 + 201 / 45)  # a fifth of a ninth
    assert window(warmed, 600) == pytest.approx(1 + 601 / 15)
    for step in (1000, 5000, 10**6):
        assert warmed.effective_decay(step) == plain.effective_decay(step)
    windows = [window(warmed, step) for step in range(1, 3000)]
    assert windows == sorted(windows)
    assert [plain.effective_decay(step) for step in (1, 7, 500)] == [2 / 11, 8 / 17, 501 / 510]  # as older runs have it
