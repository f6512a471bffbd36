"""Augmentations: each keeps shapes, lets gradients through, and does what its paper says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo.core.augmentations import Cutout, Flip, InstanceNoise, Translation
from ganzoo.core.interfaces import Augmentation
from ganzoo.core.noise import JointNoise
from ganzoo.errors import OptionError

SHAPE = (3, 9, 12)

MAKERS: dict[str, Callable[[], Augmentation]] = {
    "instance-noise": lambda: InstanceNoise(std=0.3),
    "flip": lambda: Flip(SHAPE),
    "translation": lambda: Translation(SHAPE, share=0.25),
    "cutout": lambda: Cutout(SHAPE),
}


def images(n: int = 6, seed: int = 0) -> Tensor:
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("name", MAKERS)
def test_shape_dtype_and_order_of_samples_are_kept(name: str) -> None:
    augmentation = MAKERS[name]()
    for dtype in (torch.float32, torch.bfloat16):
        given = images().to(dtype)
        made = augmentation(given)
        assert (made.shape, made.dtype) == (given.shape, dtype)
    alone = images()
    alone[1:] = -1.0
    torch.manual_seed(0)
    whole = augmentation(images())
    torch.manual_seed(0)
    assert torch.equal(augmentation(alone)[0], whole[0])  # a sample does not depend on the others in its batch


@pytest.mark.parametrize("name", MAKERS)
def test_it_is_differentiable_by_the_samples(name: str) -> None:
    """The gradient of the sum of squares is twice the image, wherever a pixel of it is still to be seen."""
    given = images().requires_grad_()
    torch.manual_seed(1)
    made = MAKERS[name]()(given)
    weights = torch.randn(made.shape, generator=torch.Generator().manual_seed(2))
    (gradient,) = torch.autograd.grad((made * weights).sum(), given)
    step = torch.randn(given.shape, generator=torch.Generator().manual_seed(3)) * 1e-2
    torch.manual_seed(1)
    moved = MAKERS[name]()((given + step).detach())
    change = ((moved - made.detach()) * weights).sum()
    # for the same draws each is linear in the samples, up to float32's rounding of a sum of some 2,000 numbers
    torch.testing.assert_close(change, (gradient * step).sum(), rtol=1e-3, atol=1e-3)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("name", MAKERS)
def test_ranks_together_change_a_batch_as_one_would(name: str, ranks: int) -> None:
    given, augmentation = images(), MAKERS[name]()
    torch.manual_seed(5)
    begin = torch.get_rng_state()
    whole, parts = augmentation(given), []
    for rank in range(ranks):
        noise = JointNoise(rank, ranks, torch.device("cpu"))
        noise.stream.set_state(begin)
        with noise.drawn():
            parts.append(augmentation(given.chunk(ranks)[rank]))
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("name", ["flip", "translation", "cutout"])
def test_samples_that_are_no_images_are_refused(name: str) -> None:
    makers: dict[str, Any] = {"flip": Flip, "translation": Translation, "cutout": Cutout}
    with pytest.raises(OptionError) as caught:
        makers[name]((2,))
    assert f'Take the [[augment]] "{name}" out' in str(caught.value)


def test_instance_noise_has_its_standard_deviation_on_samples_of_any_shape() -> None:
    torch.manual_seed(0)
    for shape in ((20_000,), (200, 100), (50, 4, 10, 10)):
        noise = InstanceNoise(std=0.3)(torch.zeros(shape))
        # 20,000 draws: the standard deviation of an estimate is 0.3 / sqrt(40,000) = 0.0015
        assert noise.std().item() == pytest.approx(0.3, abs=0.0075)
        assert noise.mean().item() == pytest.approx(0.0, abs=0.0105)


def test_flip_mirrors_its_share_of_the_images() -> None:
    torch.manual_seed(0)
    given = images(400)
    made = Flip(SHAPE, probability=0.25)(given)
    mirrored = [bool((one == other.flip(-1)).all()) for one, other in zip(made, given, strict=True)]
    untouched = [bool((one == other).all()) for one, other in zip(made, given, strict=True)]
    assert all(one != other for one, other in zip(mirrored, untouched, strict=True))
    assert 0.25 - 5 * 0.0217 < sum(mirrored) / 400 < 0.25 + 5 * 0.0217  # five times sqrt(0.25 * 0.75 / 400)
    for probability, right in ((0.0, given), (1.0, given.flip(-1))):
        assert torch.equal(Flip(SHAPE, probability=probability)(given), right)


def shifted(image: Tensor, down: int, right: int) -> Tensor:
    """A plain reference: an image of zeros, with what is left of the given one in its new place."""
    made = torch.zeros_like(image)
    _, height, width = image.shape
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                made[:, row, column] = image[:, row - down, column - right]
    return made


def test_translation_is_a_shift_of_each_image_by_up_to_its_share_in_both_directions() -> None:
    """A quarter of 9 x 12 pixels is 2 down or up and 3 left or right: 35 shifts, all equally likely."""
    torch.manual_seed(0)
    given = images(700)
    made = Translation(SHAPE, share=0.25)(given)
    found: dict[tuple[int, int], int] = {}
    for one, other in zip(made, given, strict=True):
        [shift] = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-3, 4)
            if torch.equal(one, shifted(other, down, right))
        ]
        found[shift] = found.get(shift, 0) + 1
    assert len(found) == 35
    assert max(found.values()) < 20 + 5 * 4.5  # the mean of 20, and five standard deviations


def test_cutout_greys_out_one_rectangle_that_may_reach_over_the_edge() -> None:
    """DiffAugment's: half of 9 x 12 is 5 x 6 (rounded half up), its centre anywhere in the image or on its edge."""
    torch.manual_seed(0)
    given = images(500)
    made = Cutout(SHAPE)(given)
    places = set()
    for one, other in zip(made, given, strict=True):
        grey = (one == 0).all(0)
        assert torch.equal(one[:, ~grey], other[:, ~grey])
        rows, columns = grey.any(1).nonzero().flatten().tolist(), grey.any(0).nonzero().flatten().tolist()
        assert grey.sum() == len(rows) * len(columns)  # a rectangle, without holes
        assert rows == list(range(rows[0], rows[-1] + 1))
        assert columns == list(range(columns[0], columns[-1] + 1))
        assert len(rows) <= 5
        assert len(columns) <= 6
        assert len(rows) == 5 or rows[0] == 0 or rows[-1] == 8  # smaller only at an edge
        assert len(columns) == 6 or columns[0] == 0 or columns[-1] == 11
        places.add((rows[0], rows[-1], columns[0], columns[-1]))
    # an odd height has its centre on one of 9 rows, an even width on one of 13 boundaries between columns
    assert len({place[:2] for place in places}) == 9
    assert len({place[2:] for place in places}) == 13


def test_augmentations_are_modules_whose_state_is_theirs() -> None:
    for make in MAKERS.values():
        assert isinstance(make(), nn.Module)
        assert make().state_dict() == {}  # nothing to save: these do not adapt
