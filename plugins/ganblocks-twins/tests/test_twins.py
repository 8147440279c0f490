"""Twin textures: what is drawn, what is read back, and who can see that they agree."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from ganblocks_twins.agreement import Agreement
from ganblocks_twins.dataset import HELD_OUT, HIGH, LOW, Twins, corners_of, draw, splitmix64, textures
from ganblocks_twins.reading import TwinsReader
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import ganblocks
from ganblocks import DataError, Sample


@st.composite
def sets(draw: Callable[..., int]) -> Twins:
    cells, cell = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    side = cells * cell
    size = draw(st.integers(max(2 * side, 8), 40))
    distance, heights = draw(st.integers(side, size - side)), draw(st.integers(1, size - side + 1))
    return Twins(size=size, cells=cells, cell=cell, distance=distance, heights=heights, images=100)


def read(images: Tensor, options: Twins) -> Tensor:
    return TwinsReader(size=options.size, cells=options.cells, cell=options.cell).open()(images).vector


def score(features: Tensor) -> dict[str, float]:
    return Agreement().score(Sample(features), Sample(features), 0)


@given(sets())
def test_both_textures_show_the_image_s_bits_where_they_should_stand(options: Twins) -> None:
    layout, index = options.layout, torch.arange(20)
    corners, bits, images = corners_of(index, layout), textures(index, layout), draw(index, layout)
    centre = torch.arange(layout.cells) * layout.cell + layout.cell // 2
    for image, (left, right), texture in zip(images, corners.tolist(), bits, strict=True):
        for y, x in (left, right):
            assert torch.equal(image[0, y : y + layout.side, x : x + layout.side][centre][:, centre] == HIGH, texture)
        assert right[1] - left[1] >= layout.distance
        assert left[1] + layout.side <= layout.size / 2 <= right[1]
    assert (images != 128).sum() == 20 * 2 * layout.side**2
    assert {int(value) for value in images.unique()} <= {LOW, 128, HIGH}


@given(sets())
def test_textures_are_read_back_exactly(options: Twins) -> None:
    index = torch.arange(20)
    features, bits = read(draw(index, options.layout), options), textures(index, options.layout).flatten(1)
    left, right = (features > 0).chunk(2, 1)
    assert torch.equal(left, bits)
    assert torch.equal(right, bits)


@given(sets(), st.floats(0.1, 1))
def test_paler_textures_are_read_as_well(options: Twins, contrast: float) -> None:
    images = draw(torch.arange(20), options.layout)
    pale = (128 + (images.float() - 128) * contrast).round().to(torch.uint8)
    assert torch.equal(read(pale, options) > 0, read(images, options) > 0)


def test_real_images_agree_and_noise_does_not() -> None:
    options = Twins()
    images = options.open()
    found = score(read(images.read(images.split["held_out"]), options))
    assert found["agreement"] == found["equal"] == 1
    assert found["exchanged"] == pytest.approx(0.5, abs=0.01)
    noise = torch.randint(256, (2000, 1, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert score(read(noise, options))["agreement"] == pytest.approx(0.5, abs=0.02)


@given(st.integers(0, 9), st.integers(0, 2**32))
def test_agreement_is_the_share_of_equal_bits(wrong: int, seed: int) -> None:
    """``wrong`` of 9 cells of every right half turned over: (9 - wrong) / 9, up to what exchanged partners have."""
    rng = torch.Generator().manual_seed(seed)
    left = torch.randint(2, (3000, 9), generator=rng) * 2.0 - 1
    right = left.clone()
    right[:, :wrong] *= -1
    found = score(torch.cat([left, right], 1))
    assert found["equal"] == pytest.approx(1 - wrong / 9)
    assert found["agreement"] == pytest.approx(1 - wrong / 9, abs=0.02)


def test_partners_exchanged_by_hand() -> None:
    left, right = (torch.randint(2, (7, 4), generator=torch.Generator().manual_seed(i)) * 2.0 - 1 for i in (0, 1))
    found = score(torch.cat([left, right], 1))
    equal = [[(left[i] == right[j]).double().mean().item() for j in range(7)] for i in range(7)]
    within = sum(equal[i][i] for i in range(7)) / 7
    among = sum(equal[i][j] for i in range(7) for j in range(7) if i != j) / 42
    assert found == pytest.approx(
        {"equal": within, "exchanged": among, "agreement": 0.5 + 0.5 * (within - among) / (1 - among)}
    )


def test_one_texture_everywhere_is_no_agreement() -> None:
    features = torch.tensor([[1.0, -1.0, 1.0, -1.0]]).repeat(50, 1)
    assert score(features) == {"agreement": 0.5, "equal": 1.0, "exchanged": 1.0}


@pytest.mark.parametrize("features", [torch.zeros(5, 3), torch.zeros(1, 4), torch.zeros(4), torch.full((4, 4), float("nan"))])
def test_what_has_no_halves_is_refused(features: Tensor) -> None:
    with pytest.raises(DataError):
        score(features)


def test_random_bits_are_those_of_splitmix64() -> None:
    """The first output of the published generator from seed 0, and no bit that prefers a side."""
    assert int(splitmix64(torch.zeros(1, dtype=torch.int64).numpy().astype("uint64"), 0)[0]) == 0xE220A8397B1DCDAF
    bits = textures(torch.arange(20_000), Twins(cells=4, cell=1, distance=10).layout).double()
    assert (bits.mean(0) - 0.5).abs().max() < 4 * 0.5 / 20_000**0.5
    rows = bits.flatten(1) - 0.5
    correlation = (rows.T @ rows / 5_000).fill_diagonal_(0)
    assert correlation.abs().max() < 5 / 20_000**0.5


def test_places_are_drawn_apart_and_evenly() -> None:
    corners = corners_of(torch.arange(20_000), Twins(size=32, cells=3, cell=2, distance=20, heights=5).layout).double()
    left, right = corners[:, 0], corners[:, 1]
    assert [len(column.unique()) for column in (*left.T, *right.T)] == [5, 4, 5, 4]
    assert left[:, 0].min() == 11
    for one in left.T:
        for other in right.T:
            assert torch.corrcoef(torch.stack([one, other]))[0, 1].abs() < 5 / 20_000**0.5


def test_held_out_images_follow_the_training_images() -> None:
    images = Twins(images=10).open()
    assert images.split["train"].tolist() == list(range(10))
    assert len(images.split["held_out"]) == HELD_OUT
    assert images.fingerprint != Twins(images=11).open().fingerprint != Twins(images=11, heights=2).open().fingerprint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"distance": 11}, "from 6 to 10 pixels apart, not 11"),
        ({"distance": 5}, "from 6 to 10 pixels apart, not 5"),
        ({"heights": 12}, "more than 11 of 16 rows"),
    ],
)
def test_textures_that_cannot_stand_are_refused(options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Twins(**options)
    with pytest.raises(ganblocks.RecipeError, match=words):
        ganblocks.discover().create("dataset", "twins", **options)


def test_a_reader_needs_room() -> None:
    with pytest.raises(ValueError, match="9 pixels does not fit into half of 16"):
        TwinsReader(cells=3, cell=3)


def discriminator(attention: str, *multipliers: int) -> nn.Module:
    registry = ganblocks.discover()
    block = registry.create(
        "attention", attention, **({} if attention == "none" else {"reduction": 1, "value_ratio": 1, "gamma": 1.0})
    )
    chosen = {
        "width": 8,
        "multipliers": multipliers,
        "halvings": min(len(multipliers), 2),
        "attention_at": (8,),
        "attention": block,
    }
    conditioning = registry.create("conditioning", "none")
    component = registry.create("discriminator", "resnet", **chosen, conditioning=conditioning)
    site = ganblocks.Site(channels=1, size=16, image_channels=1, player=ganblocks.Player.DISCRIMINATOR, path="discriminator")
    module: nn.Module = component.build(Twins().describe(), site).double().eval()
    return module


@pytest.mark.parametrize(
    ("attention", "multipliers", "blind"),
    [
        ("none", (1,), True),
        ("residual", (1,), True),
        ("self_attention", (1,), False),
        ("none", (1, 1), False),
        ("none", (1, 1, 1), False),
    ],
)
def test_a_discriminator_that_sees_less_than_the_distance_cannot_tell_whether_textures_agree(
    attention: str, multipliers: tuple[int, ...], blind: bool
) -> None:
    """It adds up what it sees in windows of 6 pixels (10 with the residual block), none of which holds one cell of both
    textures: exchanging right halves between images moves its scores about and leaves their sum as it was. So nothing in its
    gradient can ask a generator to agree. Attention puts any two places together.
    """
    network = discriminator(attention, *multipliers)
    images = draw(torch.arange(64), Twins(cells=2, distance=12).layout)
    exchanged = images.clone()
    exchanged[..., 8:] = images.roll(1, 0)[..., 8:]
    with torch.no_grad():
        scores = [network((batch.double() / 127.5) - 1).logits for batch in (images, exchanged)]
    moved = (scores[0] - scores[1]).abs().max()
    gap = abs(float(scores[0].sum() - scores[1].sum()))
    assert moved > 1e-4
    assert (gap < 1e-9 * 64) == blind, gap
