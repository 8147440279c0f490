"""Augmentations against slow references that treat one sample and one pixel at a time."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from ganblocks_augments import ada, diffaug, ganblocks_augments
from ganblocks_augments.ada import ADA
from ganblocks_augments.diffaug import DiffAug
from ganblocks_augments.flip import Flip
from ganblocks_augments.flip_translation import FlipTranslation
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks.testing import examples

few = examples(25)
seeds = st.integers(0, 2**32 - 1)
shares = st.floats(0, 1)
sides = st.integers(1, 9)
DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]
AUGMENTS: dict[str, Any] = {"flip": Flip, "diffaug": DiffAug, "flip_translation": FlipTranslation}
"""Those without a memory; test_ada.py has the other."""


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(seed: int, batch: int = 3, channels: int = 3, height: int = 8, width: int = 8, dtype: Any = torch.float64) -> Tensor:
    numbers = torch.rand(batch, channels, height, width, dtype=torch.float64, generator=rng(seed + 1))
    return (2 * numbers - 1).to(dtype)


def apply(component: Any, image: Tensor, seed: int = 0) -> Tensor:
    changed: Tensor = component.build()(image, rng(seed))
    return changed


def table(seed: int, batch: int) -> list[list[float]]:
    """What diffaug draws: brightness, saturation, contrast, rows and columns of the shift, rows and columns of the box."""
    return torch.rand(batch, 7, dtype=torch.float64, generator=rng(seed)).tolist()


def reference(component: DiffAug, image: Tensor, seed: int) -> Tensor:
    """Sample by sample, step by step."""
    result = []
    for x, draws in zip(image, table(seed, len(image)), strict=True):
        for name in component.policy:
            x = {"color": color, "translation": translation, "cutout": cutout}[name](component, x, draws)
        result.append(x)
    return torch.stack(result)


def color(component: DiffAug, x: Tensor, draws: list[float]) -> Tensor:
    b, s, k = (2 * draw - 1 for draw in draws[:3])
    x = x + component.brightness * b
    grey = x.mean(0, keepdim=True)
    x = grey + (1 + component.saturation * s) * (x - grey)
    return x.mean() + (1 + component.contrast * k) * (x - x.mean())


def translation(component: DiffAug, x: Tensor, draws: list[float]) -> Tensor:
    height, width = x.shape[1:]
    reaches = [int(component.translation * side + 0.5) for side in (height, width)]
    down, right = (int(draw * (2 * reach + 1)) - reach for draw, reach in zip(draws[3:5], reaches, strict=True))
    moved = torch.full_like(x, component.fill)
    for row in range(height):
        for column in range(width):
            if 0 <= row + down < height and 0 <= column + right < width:
                moved[:, row + down, column + right] = x[:, row, column]
    return moved


def cutout(component: DiffAug, x: Tensor, draws: list[float]) -> Tensor:
    x, spans = x.clone(), []
    for side, draw in zip(x.shape[1:], draws[5:], strict=True):
        size = int(component.cutout * side + 0.5)
        places = side + 1 if size % 2 == 0 else side
        first = int(draw * places) - size // 2
        spans.append(range(max(first, 0), min(first + size, side)))
    for row in spans[0]:
        for column in spans[1]:
            x[:, row, column] = component.fill
    return x


POLICIES, POLICIES_OF_ADA = get_args(diffaug.Change), get_args(ada.Change)
policies = st.lists(st.sampled_from(POLICIES), min_size=1, max_size=3, unique=True).map(tuple)
components = st.builds(
    DiffAug,
    policy=policies,
    brightness=shares,
    saturation=shares,
    contrast=shares,
    translation=shares,
    cutout=shares,
    fill=st.floats(-1, 1),
)


def test_the_plugin_offers_what_is_tested() -> None:
    targets = {name: f"{component.__module__}:{component.__name__}" for name, component in (AUGMENTS | {"ada": ADA}).items()}
    assert targets == ganblocks_augments()
    assert all(component.differentiable is True for component in AUGMENTS.values())
    assert all(list(component().build().state_dict()) == [] for component in AUGMENTS.values())


@examples(50)
@given(components, seeds, st.sampled_from([1, 3, 4]), sides, sides)
def test_diffaug_is_its_slow_reference(component: DiffAug, seed: int, channels: int, height: int, width: int) -> None:
    image = images(seed, 3, channels, height, width)
    torch.testing.assert_close(apply(component, image, seed), reference(component, image, seed), rtol=1e-12, atol=1e-12)


@few
@given(seeds, st.permutations(POLICIES))
def test_the_parts_one_after_another_are_the_whole(seed: int, order: list[str]) -> None:
    image = images(seed)
    step = image
    for name in order:
        step = apply(DiffAug(policy=(name,)), step, seed)
    assert torch.equal(apply(DiffAug(policy=tuple(order)), image, seed), step)


@few
@given(seeds)
def test_a_part_that_is_left_out_changes_nothing(seed: int) -> None:
    image = images(seed, dtype=torch.float32)
    assert torch.equal(apply(DiffAug(policy=("translation", "cutout"), translation=0, cutout=0), image, seed), image)
    still = DiffAug(policy=("color",), brightness=0, saturation=0, contrast=0)
    torch.testing.assert_close(apply(still, image, seed), image, rtol=0, atol=1e-6)
    grey = images(seed, channels=1)
    paler = DiffAug(policy=("color",), brightness=0, saturation=1, contrast=0)
    assert torch.equal(apply(paler, grey, seed), grey)


@few
@given(seeds)
def test_translation_reaches_exactly_as_far_as_it_says(seed: int) -> None:
    """One lit pixel in each of 2,000 images: all 81 shifts of up to 4 pixels occur, and no other."""
    image = torch.zeros(2000, 1, 32, 32)
    image[:, :, 16, 16] = 1
    moved = apply(DiffAug(policy=("translation",)), image, seed)
    assert torch.equal(moved.sum((1, 2, 3)), torch.ones(2000))
    rows, columns = (moved.sum(dims)[:, 0].argmax(1) - 16 for dims in ((3,), (2,)))
    assert {*zip(rows.tolist(), columns.tolist(), strict=True)} == {(i, j) for i in range(-4, 5) for j in range(-4, 5)}


@pytest.mark.parametrize(("side", "ratio", "size"), [(8, 0.5, 4), (9, 0.34, 3), (7, 1.0, 7)])
def test_the_box_has_its_size_and_its_centre_is_anywhere(side: int, ratio: float, size: int) -> None:
    erased = apply(DiffAug(policy=("cutout",), cutout=ratio), torch.ones(2000, 2, side, side)) == 0
    rows, columns = erased.any(3)[:, 0].sum(1), erased.any(2)[:, 0].sum(1)
    assert torch.equal(erased[:, 0].sum((1, 2)), rows * columns)
    centres = range(side + 1 if size % 2 == 0 else side)
    lengths = {len({*range(side)} & {*range(centre - size // 2, centre - size // 2 + size)}) for centre in centres}
    assert {*rows.tolist()} == {*columns.tolist()} == lengths
    assert max(lengths) == size


@pytest.mark.parametrize("policy", [("translation",), ("cutout",)])
@pytest.mark.parametrize("fill", [-1.0, 0.0, 0.25, 1.0])
def test_fill_is_what_appears(policy: tuple[str, ...], fill: float) -> None:
    image = torch.full((50, 3, 8, 8), 0.5)
    changed = apply(DiffAug(policy=policy, translation=0.5, fill=fill), image)
    assert {*changed.unique().tolist()} == {0.5, fill}


@pytest.mark.parametrize("component", [Flip(), FlipTranslation(), DiffAug(), *(DiffAug(policy=(name,)) for name in POLICIES)])
@pytest.mark.parametrize("channels", [1, 3])
def test_equal_seeds_equal_changes_and_other_seeds_others(component: Any, channels: int) -> None:
    image = images(0, 8, channels)
    state = torch.get_rng_state()
    assert torch.equal(apply(component, image, 1), apply(component, image, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(apply(component, image, 1), apply(component, image, 2))
    one, two = (apply(component, image[:1].expand(8, -1, -1, -1), 3).unbind() for _ in range(2))
    assert len({tuple(x.flatten().tolist()) for x in one}) > 1, "each sample has its own change"
    assert all(map(torch.equal, one, two))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "component", [Flip(), FlipTranslation(), DiffAug(), ADA(probability=0.7), ADA(policy=POLICIES_OF_ADA, probability=1.0)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_shape_type_layout_and_device_stay(component: Any, dtype: Any, channels: int, layout: Any, device: str) -> None:
    image = images(0, 4, channels, dtype=dtype).contiguous(memory_format=layout)
    changed = apply(component, image.to(device))
    assert (changed.shape, changed.dtype, changed.device.type) == (image.shape, dtype, device)
    assert changed.is_contiguous(memory_format=layout)
    precise = apply(component, image.double())
    tolerance = 1e-2 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(changed.cpu().double(), precise, rtol=tolerance, atol=tolerance)
    wide = torch.promote_types(dtype, torch.float32)
    assert torch.equal(changed, apply(component, image.to(device, wide)).to(dtype)), (
        "half precision is for keeping, not for sums"
    )
    assert apply(component, image.to(device)[:0]).shape == (0, *image.shape[1:])


@few
@given(components, seeds)
def test_gradients_pass(component: DiffAug, seed: int) -> None:
    """The change is linear up to a constant, so its gradient is checked by differences of any size, exactly."""
    image = images(seed).requires_grad_()
    weight = images(seed + 5)
    (gradient,) = torch.autograd.grad((apply(component, image, seed) * weight).sum(), image)
    assert gradient.isfinite().all()
    direction = images(seed + 9)
    with torch.no_grad():
        rise = ((apply(component, image + direction, seed) - apply(component, image, seed)) * weight).sum()
    torch.testing.assert_close((gradient * direction).sum(), rise, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("component", [Flip(), FlipTranslation(), DiffAug(), *(DiffAug(policy=(name,)) for name in POLICIES)])
def test_gradients_reach_every_image(component: Any) -> None:
    image = images(0, 16, dtype=torch.float32).requires_grad_()
    (gradient,) = torch.autograd.grad(apply(component, image).square().sum(), image)
    assert (gradient.abs().sum((1, 2, 3)) > 0).all()


@pytest.mark.parametrize(
    "component", [Flip(), FlipTranslation(), DiffAug(), ADA(probability=0.7), ADA(policy=POLICIES_OF_ADA, probability=1.0)]
)
def test_gradients_have_gradients(component: Any) -> None:
    """A gradient penalty differentiates the discriminator, and what stands before it, twice."""
    image = images(0, 2, 2, 4, 4).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: apply(component, x).pow(3), image, atol=1e-4)


@few
@given(seeds, shares, st.sampled_from([1, 3]))
def test_flip_mirrors_some_and_leaves_the_rest(seed: int, probability: float, channels: int) -> None:
    image, flip = images(seed, 6, channels), Flip(probability=probability)
    changed = apply(flip, image, seed)
    draws = torch.rand(6, 1, generator=rng(seed))[:, 0]
    for x, y, draw in zip(image, changed, draws, strict=True):
        assert torch.equal(y, x.flip(2) if draw < probability else x)
    assert torch.equal(apply(flip, changed, seed), image)


def test_flip_always_and_never() -> None:
    image = images(0, 50)
    assert torch.equal(apply(Flip(probability=1), image), image.flip(3))
    assert torch.equal(apply(Flip(probability=0), image), image)
    share = (apply(Flip(), images(0, 4000, 1, 1, 2)) != images(0, 4000, 1, 1, 2)).any(3).float().mean()
    assert abs(share - 0.5) < 0.03


@few
@given(seeds, shares, shares, st.floats(-1, 1), sides, sides)
def test_flip_translation_is_a_flip_and_then_a_shift(
    seed: int, probability: float, reach: float, fill: float, height: int, width: int
) -> None:
    image = images(seed, 4, 3, height, width)
    changed = apply(FlipTranslation(probability=probability, translation=reach, fill=fill), image, seed)
    draws = rng(seed)
    flips = torch.rand(4, generator=draws) < probability
    places = torch.rand(4, 2, dtype=torch.float64, generator=draws).tolist()
    for x, y, flip, (down, right) in zip(image, changed, flips, places, strict=True):
        shifted = DiffAug(policy=("translation",), translation=reach, fill=fill)
        assert torch.equal(y, translation(shifted, x.flip(2) if flip else x, [0, 0, 0, down, right]))


@pytest.mark.parametrize(
    "options",
    [
        {"policy": ()},
        {"policy": ("color", "rotation")},
        {"policy": ("color", "color")},
        {"policy": "color"},
        {"brightness": -0.1},
        {"saturation": 1.1},
        {"contrast": -1},
        {"translation": 2},
        {"cutout": "half"},
        {"fill": 255},
    ],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)) as refusal:
        DiffAug(**options)
    assert next(iter(options)) in str(refusal.value)


@pytest.mark.parametrize("probability", [-0.1, 1.1, "often"])
def test_flip_refuses_what_is_no_probability(probability: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        Flip(probability=probability)
