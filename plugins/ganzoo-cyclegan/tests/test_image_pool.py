"""The pool hands out what a generator made before, half of the time, and a checkpoint holds all of it."""

from __future__ import annotations

import torch
from ganzoo_cyclegan.pool import ImagePool
from torch import Tensor

SHAPE = (1, 2, 2)


def numbered(first: int, n: int) -> Tensor:
    """n images, each of one number."""
    return torch.arange(first, first + n, dtype=torch.float32).view(n, 1, 1, 1).expand(n, *SHAPE).clone()


def numbers(images: Tensor) -> list[int]:
    assert images.eq(images[:, :, :1, :1]).all()
    return [int(value) for value in images[:, 0, 0, 0]]


def test_while_it_fills_the_new_images_come_back() -> None:
    pool = ImagePool(5, SHAPE)
    assert numbers(pool(numbered(1, 3))) == [1, 2, 3]
    assert numbers(pool(numbered(4, 2))) == [4, 5]
    assert numbers(pool.images) == [1, 2, 3, 4, 5]


def test_once_full_half_of_the_images_are_traded_for_older_ones_and_none_is_lost_or_doubled() -> None:
    torch.manual_seed(0)
    pool = ImagePool(50, SHAPE)
    pool(numbered(0, 50))
    traded = 0
    for round_ in range(200):
        before, new = numbers(pool.images), list(range(100 + 10 * round_, 110 + 10 * round_))
        given = numbers(pool(numbered(new[0], 10)))
        for mine, back in zip(new, given, strict=True):
            assert back == mine or back in before
        traded += sum(mine != back for mine, back in zip(new, given, strict=True))
        assert sorted([*numbers(pool.images), *given]) == sorted([*before, *new])
    # 2,000 fair decisions: 1,000, standard deviation 22.4; five of them are 112.
    assert 888 < traded < 1112


def test_every_place_of_the_pool_is_traded_sooner_or_later() -> None:
    torch.manual_seed(0)
    pool = ImagePool(10, SHAPE)
    pool(numbered(0, 10))
    for round_ in range(60):
        pool(numbered(100 + 4 * round_, 4))
    # A place survives a round with 1 - 0.4 / 2; all 60 with one in 650,000.
    assert min(numbers(pool.images)) >= 100


def test_a_batch_may_fill_it_and_be_larger_than_it() -> None:
    torch.manual_seed(0)
    pool = ImagePool(4, SHAPE)
    pool(numbered(0, 3))
    given = numbers(pool(numbered(3, 12)))
    assert len(given) == 12
    assert given[0] == 3
    assert sorted([*given, *numbers(pool.images)]) == sorted([0, 1, 2, *range(3, 15), 3])


def test_without_a_size_there_is_no_history() -> None:
    pool = ImagePool(0, SHAPE)
    assert numbers(pool(numbered(7, 3))) == [7, 8, 9]


def test_what_it_hands_out_is_a_copy_without_gradients() -> None:
    pool = ImagePool(2, SHAPE)
    new = numbered(1, 2).requires_grad_()
    given = pool(new)
    assert not given.requires_grad
    given += 1
    assert numbers(pool.images) == [1, 2]
    assert numbers(new.detach()) == [1, 2]


def test_its_state_brings_back_images_count_and_decisions() -> None:
    def play(pool: ImagePool, rounds: range) -> list[list[int]]:
        return [numbers(pool(numbered(10 * number, 4))) for number in rounds]

    torch.manual_seed(3)
    straight = ImagePool(6, SHAPE)
    expected = play(straight, range(8))
    torch.manual_seed(3)
    first, second = ImagePool(6, SHAPE), ImagePool(6, SHAPE)
    begun = play(first, range(3))
    second.load_state_dict(first.state_dict())
    assert [*begun, *play(second, range(3, 8))] == expected
    assert torch.equal(second.images, straight.images)
