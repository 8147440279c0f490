"""ADA: its changes against slow references for one image at a time, and its probability against the rule that moves it."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from ganblocks_augments.ada import ADA, DRAWS, Change
from ganblocks_augments.pixels import turn as quarter_turn
from ganblocks_augments.tones import NEUTRAL, tone
from ganblocks_augments.translation import translate
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks import Facts, ImageSpec, Player, Use
from ganblocks.testing import examples
from ganblocks.testing.toys import toy_batches, toy_game

few = examples(20)
seeds = st.integers(0, 2**32 - 1)
shares = st.floats(0, 1)
sides = st.integers(1, 8)
policies = st.lists(st.sampled_from(get_args(Change)), min_size=1, max_size=5, unique=True).map(tuple)
components = st.builds(
    ADA, policy=policies, probability=shares, cutout=shares, translation=shares, hue=shares, fill=st.floats(-1, 1)
)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(seed: int, batch: int = 4, channels: int = 3, height: int = 8, width: int = 8) -> Tensor:
    return 2 * torch.rand(batch, channels, height, width, dtype=torch.float64, generator=rng(seed + 1)) - 1


def apply(component: ADA, image: Tensor, seed: int = 0) -> Tensor:
    changed: Tensor = component.build()(image, rng(seed))
    return changed


def drawn(component: ADA, image: Tensor, seed: int) -> list[tuple[dict[str, bool], list[float]]]:
    """For each image: which changes take part, and the amounts."""
    uniform, amounts = component.build().draw(image, rng(seed))
    taken = [dict(zip(DRAWS, row, strict=True)) for row in (uniform < torch.tensor(component.probability)).tolist()]
    return list(zip(taken, amounts.tolist(), strict=True))


def reference(component: ADA, image: Tensor, seed: int) -> Tensor:
    """Image by image and change by change, with numpy's moves and 3×3 matrices of colour."""
    result = []
    for x, (taken, amounts) in zip(image.numpy(), drawn(component, image, seed), strict=True):
        for name in component.policy:
            x = CHANGED[name](component, x, taken, amounts)
        result.append(torch.from_numpy(np.ascontiguousarray(x)))
    return torch.stack(result)


def flip(component: ADA, x: Any, taken: dict[str, bool], amounts: list[float]) -> Any:
    return x[:, :, ::-1] if taken["flip"] and amounts[0] else x


def rotation(component: ADA, x: Any, taken: dict[str, bool], amounts: list[float]) -> Any:
    quarters = int(amounts[1]) * taken["rotation"]
    return np.rot90(x, quarters if x.shape[1] == x.shape[2] else quarters // 2 * 2, (1, 2))


def translation(component: ADA, x: Any, taken: dict[str, bool], amounts: list[float]) -> Any:
    if not taken["translation"]:
        return x
    down, right = int(amounts[2]), int(amounts[3])
    moved = np.full_like(x, component.fill)
    height, width = x.shape[1:]
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                moved[:, row, column] = x[:, row - down, column - right]
    return moved


def color(component: ADA, x: Any, taken: dict[str, bool], amounts: list[float]) -> Any:
    channels = len(x)
    pixels = np.repeat(x, 3, axis=0) if channels == 1 else x  # grey is a colour
    names = ("brightness", "contrast", "luma", "hue", "saturation")
    for name, value in zip(names, amounts[4:9], strict=True):
        if taken[name]:
            pixels = recoloured(name, value, pixels)
    return pixels[:channels]


def recoloured(name: str, value: float, pixels: Any) -> Any:
    axis = np.full((3, 1), 1 / math.sqrt(3))
    onto = axis @ axis.T
    if name == "brightness":
        return pixels + value
    if name == "contrast":
        matrix = value * np.eye(3)
    elif name == "luma":
        matrix = np.eye(3) - (1 - value) * onto  # Householder's mirror, where value is -1
    elif name == "saturation":
        matrix = onto + value * (np.eye(3) - onto)
    else:
        u = 1 / math.sqrt(3)
        cross = np.array([[0, -u, u], [u, 0, -u], [-u, u, 0]])
        matrix = math.cos(value) * np.eye(3) + math.sin(value) * cross + (1 - math.cos(value)) * onto
    return np.einsum("ij,jhw->ihw", matrix, pixels)


def cutout(component: ADA, x: Any, taken: dict[str, bool], amounts: list[float]) -> Any:
    if not taken["cutout"]:
        return x
    x, spans = x.copy(), []
    for side, first in zip(x.shape[1:], amounts[9:], strict=True):
        spans.append(slice(max(int(first), 0), max(int(first) + int(component.cutout * side + 0.5), 0)))
    x[:, spans[0], spans[1]] = component.fill
    return x


CHANGED: dict[str, Any] = {
    "flip": flip,
    "rotation": rotation,
    "translation": translation,
    "color": color,
    "cutout": cutout,
}


@examples(50)
@given(components, seeds, st.sampled_from([1, 3]), sides, sides)
def test_it_is_its_slow_reference(component: ADA, seed: int, channels: int, height: int, width: int) -> None:
    image = images(seed, 4, channels, height, width)
    torch.testing.assert_close(apply(component, image, seed), reference(component, image, seed), rtol=1e-10, atol=1e-10)


@few
@given(seeds, policies, st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_at_probability_zero_it_is_the_identity_to_the_bit(seed: int, policy: tuple[str, ...], dtype: torch.dtype) -> None:
    image = images(seed).to(dtype)
    assert torch.equal(apply(ADA(policy=policy), image, seed), image)


def test_at_probability_one_every_change_takes_part_and_in_between_a_share_of_them() -> None:
    uniform, _ = ADA().build().draw(torch.empty(4000, 3, 1, 1), rng(0))
    assert (uniform < 1).all()
    for p in (0.1, 0.5, 0.9):
        taken = (uniform < p).double()
        assert ((taken.mean(0) - p).abs() < 4 * math.sqrt(p * (1 - p) / 4000)).all()
        assert (torch.corrcoef(taken.T) - torch.eye(len(DRAWS))).abs().max() < 0.08, "each is decided for itself"


def test_amounts_follow_the_paper() -> None:
    amounts = ADA(cutout=0.5).build()
    columns = amounts.draw(torch.empty(20_000, 3, 32, 32, dtype=torch.float64), rng(0))[1].unbind(1)
    mirrored, quarters, down, right, b, c, f, theta, s, *_ = columns
    for whole, values in ((mirrored, {0, 1}), (quarters, {0, 1, 2, 3}), (down, {*range(-4, 5)}), (right, {*range(-4, 5)})):
        assert {*whole.int().tolist()} == values
    assert {*f.tolist()} == {-1, 1}
    assert theta.abs().max() <= math.pi
    assert abs(theta.std() - math.pi / math.sqrt(3)) < 0.03
    for normal, spread in ((b, 0.2), (c.log2(), 0.5), (s.log2(), 1.0)):
        assert abs(normal.mean()) < 0.03 * spread
        assert abs(normal.std() / spread - 1) < 0.02
        assert abs((normal / spread).pow(4).mean() - 3) < 0.2
    together = torch.corrcoef(torch.stack([mirrored, quarters, down, right, b, c.log2(), f, theta, s.log2()]))
    assert (together - torch.eye(9)).abs().max() < 0.04, "each is drawn for itself"


def test_shifts_and_boxes_keep_to_their_own_side() -> None:
    """Where images are not square: a shift reaches ± its share of the side, and a box of half the sides is centred anywhere."""
    columns = (
        ADA(translation=0.25, cutout=0.5).build().draw(torch.empty(2_000, 3, 8, 24, dtype=torch.float64), rng(0))[1].unbind(1)
    )
    down, right, row, column = ({*columns[i].int().tolist()} for i in (2, 3, 9, 10))
    assert (down, right) == ({*range(-2, 3)}, {*range(-6, 7)})
    assert (row, column) == ({*range(-2, 7)}, {*range(-6, 19)})


@few
@given(seeds, policies)
def test_leaving_a_change_out_does_not_move_the_others(seed: int, policy: tuple[str, ...]) -> None:
    image = images(seed)
    step = image
    for name in policy:
        step = apply(ADA(policy=(name,), probability=0.6), step, seed)
    assert torch.equal(apply(ADA(policy=policy, probability=0.6), image, seed), step)


@few
@given(seeds, st.integers(0, 3))
def test_pixel_moves_can_be_taken_back(seed: int, quarters: int) -> None:
    image = images(seed)
    there = torch.full((4, 1, 1, 1), quarters)
    assert torch.equal(quarter_turn(quarter_turn(image, there), (4 - there) % 4), image)


@few
@given(seeds, st.floats(-1, 1), st.floats(0.25, 4), st.sampled_from([-1.0, 1.0]), st.floats(-3, 3), st.floats(0.25, 4))
def test_colours_can_be_taken_back(seed: int, b: float, c: float, f: float, theta: float, s: float) -> None:
    """f c s R(x + b) with R a rotation: undone by the factors' inverses, then by -b."""
    image = images(seed)
    there = tone(image, torch.tensor([[b, c, f, theta, s]], dtype=torch.float64).expand(4, -1))
    back = tone(there, torch.tensor([[0, 1 / c, f, -theta, 1 / s]], dtype=torch.float64).expand(4, -1))
    torch.testing.assert_close(back - b, image, rtol=1e-9, atol=1e-9)
    neutral = torch.tensor([NEUTRAL], dtype=torch.float64).expand(4, -1)
    torch.testing.assert_close(tone(image, neutral), image, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_without_three_channels_there_is_no_hue(channels: int) -> None:
    image, amounts = images(0, channels=channels), torch.tensor([[0.1, 1.5, -1.0, 2.0, 0.5]], dtype=torch.float64).expand(4, -1)
    still = amounts * torch.tensor([1, 1, 1, 0, 1])
    assert torch.equal(tone(image, amounts), tone(image, still))


def test_a_shift_by_nothing_is_nothing() -> None:
    image = images(0)
    assert torch.equal(translate(image, torch.zeros(4, 2), 1.0), image)


@few
@given(components, seeds)
def test_gradients_pass(component: ADA, seed: int) -> None:
    """The change is linear up to a constant, so its gradient is checked by differences of any size, exactly."""
    image, weight, direction = images(seed).requires_grad_(), images(seed + 5), images(seed + 9)
    (gradient,) = torch.autograd.grad((apply(component, image, seed) * weight).sum(), image)
    with torch.no_grad():
        rise = ((apply(component, image + direction, seed) - apply(component, image, seed)) * weight).sum()
    torch.testing.assert_close((gradient * direction).sum(), rise, rtol=1e-9, atol=1e-9)


def turn(logits: list[float], player: Player = Player.DISCRIMINATOR) -> Any:
    score = SimpleNamespace(logits=torch.tensor(logits))
    return SimpleNamespace(player=player, real=SimpleNamespace(score=score))


turns = st.lists(st.lists(st.sampled_from([-1.5, -0.1, 0.0, 0.2, 3.0]), min_size=1, max_size=6), min_size=1, max_size=12)


@few
@given(turns, st.floats(-0.9, 0.9), st.integers(1, 4), shares)
def test_p_moves_as_the_rule_says(logits: list[list[float]], target: float, interval: int, start: float) -> None:
    module = ADA(target=target, images=50, interval=interval, probability=start).build()
    p, seen = float(torch.tensor(start)), []
    for count, batch in enumerate(logits, start=1):
        module.observe(turn(batch))
        seen += [float(np.sign(x)) for x in batch]
        if count % interval == 0:
            excess = float(np.sign(np.float32(sum(seen) / len(seen)) - np.float32(target)))
            p, seen = min(max(p + excess * len(seen) / 50, 0.0), 1.0), []
        assert module.probability.item() == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize(("logit", "start", "end"), [(2.0, 0.0, 1.0), (-2.0, 1.0, 0.0)])
def test_from_end_to_end_it_takes_as_many_images_as_it_says(logit: float, start: float, end: float) -> None:
    module = ADA(images=64, interval=2, probability=start).build()
    for _ in range(7):
        module.observe(turn([logit] * 8))
    assert module.probability != end
    module.observe(turn([logit] * 8))
    assert module.probability == end
    for _ in range(2):
        module.observe(turn([logit] * 8))
    assert module.probability == end


def test_the_generators_turns_are_not_counted() -> None:
    module = ADA(images=8, interval=1).build()
    module.observe(turn([1.0] * 8, Player.GENERATOR))
    module.observe(SimpleNamespace(player=Player.DISCRIMINATOR, real=None))
    assert (module.probability, module.turns) == (0, 0)


@pytest.mark.parametrize("microbatch", [None, 3])
def test_in_a_real_game_it_reads_the_scores_of_the_whole_batch_and_is_saved(microbatch: int | None) -> None:
    component = ADA(images=8, interval=2, target=-0.999)
    game = toy_game(augment=component.build(), microbatch=microbatch)
    batches = toy_batches()
    with torch.no_grad():
        game.networks[Player.DISCRIMINATOR].head.linear.bias.fill_(100)
    game.backward(Player.DISCRIMINATOR, batches(Player.DISCRIMINATOR), 0)
    state = {name: value.clone() for name, value in game.state_dict().items() if name.startswith("augment.")}
    assert {name: float(value) for name, value in state.items()} == {
        "augment.probability": 0,
        "augment.signs": 8,
        "augment.images": 8,
        "augment.turns": 1,
    }
    again = toy_game(augment=component.build())
    again.load_state_dict(game.state_dict())
    again.backward(Player.DISCRIMINATOR, batches(Player.DISCRIMINATOR), 8)
    assert again.state_dict()["augment.probability"] == 1
    assert again.state_dict()["augment.images"] == 0


def test_on_the_data_it_is_refused() -> None:
    component = ADA()
    for path, complaints in (("data.augment", 1), ("discriminator.augment", 0), ("penalties.balanced_consistency.augment", 0)):
        facts = Facts(ImageSpec(channels=3, size=8), (Use(path, "augment", "ada", component),))
        messages = list(component.check(facts))
        assert len(messages) == complaints
        assert all("discriminator.augment" in message for message in messages)


@pytest.mark.parametrize(
    "options",
    [
        {"target": 1.0},
        {"images": 0},
        {"interval": 0},
        {"probability": 1.5},
        {"policy": ()},
        {"policy": ("flip", "flip")},
        {"policy": ("blur",)},
        {"translation": 2},
        {"brightness": -0.1},
        {"contrast": "low"},
        {"hue": 1.5},
        {"saturation": -1},
        {"cutout": 1.1},
        {"fill": 255},
    ],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)) as refusal:
        ADA(**options)
    assert next(iter(options)) in str(refusal.value)
