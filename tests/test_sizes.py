"""Sizes, the ways to double to them, and the nearest that work: against trying everything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganblocks import Doublings, ImageSpec, PlacementError, Site, Size, UnfitSize, as_size, in_words, shorter, sides
from ganblocks.sizes import nearest_sizes
from ganblocks.testing import examples

lengths = st.integers(1, 300)
pairs = st.tuples(lengths, lengths)


@pytest.mark.parametrize(
    ("size", "start"),
    [
        (28, 7),
        (48, 6),
        (96, 6),
        (20, 5),
        (12, 6),
        (32, 4),
        (8, 4),
        (4, 2),
        ((64, 128), (4, 8)),
        ((48, 36), None),
        ((6, 16), (3, 8)),
    ],
)
def test_the_first_map_is_4_where_it_can_be(size: Size, start: Size | None) -> None:
    assert [way.start for way in Doublings.all(size)][:1] == ([] if start is None else [start])


@examples(200)
@given(pairs, st.integers(0, 1))
def test_every_way_is_found_and_no_other(pair: tuple[int, int], fewest: int) -> None:
    size = as_size(pair)
    ways = {(sides(way.start), way.count) for way in Doublings.all(size, fewest)}
    tried = {((h, w), n) for n in range(fewest, 10) for h in range(1, 9) for w in range(1, 9) if (h * 2**n, w * 2**n) == pair}
    assert ways == tried


@examples(100)
@given(pairs)
def test_the_usual_way_is_the_first(pair: tuple[int, int]) -> None:
    """A shorter side of 4; if there is none, as few doublings as can be. Every map is twice the one before it."""
    ways = Doublings.all(as_size(pair))
    fours = [way for way in ways if shorter(way.start) == 4]
    if ways:
        assert ways[0] in (fours or [min(ways, key=lambda way: way.count)])
    for way in ways:
        assert way.sizes[-1] == as_size(pair)
        assert [sides(size) for size in way.sizes] == [
            tuple(side * 2**n for side in sides(way.start)) for n in range(way.count + 1)
        ]


@examples(30)
@given(st.tuples(st.integers(1, 100), st.integers(1, 100)), st.integers(1, 7))
def test_the_nearest_sizes_lie_within_and_around(pair: tuple[int, int], factor: int) -> None:
    """Against all rectangles of at most 130 pixels along a side: none that fits is nearer."""

    def fits(size: Size) -> bool:
        return shorter(size) % factor == 0

    def distance(size: Size) -> int:
        return sum(abs(one - other) for one, other in zip(pair, sides(size), strict=True))

    square = pair[0] == pair[1]
    everything = [(h, w) for h in range(1, 131) for w in range(1, 131) if h == w or not square]
    tried = [as_size(pair) for pair in everything if Doublings.all(as_size(pair), fewest=0) and fits(as_size(pair))]
    smaller = [size for size in tried if all(a <= b for a, b in zip(sides(size), pair, strict=True))]
    larger = [size for size in tried if all(a >= b for a, b in zip(sides(size), pair, strict=True))]
    expected = [min(map(distance, side)) for side in (smaller, larger) if side]
    nearest = [size for size in nearest_sizes(as_size(pair), fits) if max(sides(size)) <= 130]
    assert [distance(size) for size in nearest] == expected


@given(lengths)
def test_a_square_is_one_number_everywhere(side: int) -> None:
    assert ImageSpec(3, (side, side)) == ImageSpec(3, side) == ImageSpec(3, [side, side])  # type: ignore[arg-type]
    assert Site(channels=8, size=(side, side)) == Site(channels=8, size=side)
    assert (Site(channels=8, size=side).height, ImageSpec(3, side).shape) == (side, (3, side, side))


@given(
    st.one_of(
        st.floats(), st.booleans(), st.integers(max_value=0), st.text(), st.none(), st.tuples(lengths), st.lists(st.booleans())
    )
)
def test_what_is_no_size_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^'size' must be a number of pixels above 0, or \[height, width\]$"):
        ImageSpec(3, value)


def test_a_rectangle_has_its_sides_in_order() -> None:
    image, site = ImageSpec(1, (64, 128)), Site(channels=8, size=(4, 8))
    assert (image.height, image.width, image.shape) == (64, 128, (1, 64, 128))
    assert (site.height, site.width, in_words(site.size)) == (4, 8, "4×8")


def test_feature_maps_go_by_their_shorter_side() -> None:
    site = Site(channels=8, path="generator")
    site.expect_sizes("attention_at", (4, 16), [(4, 8), (16, 32)])
    with pytest.raises(
        PlacementError,
        match=r"generator: attention_at names 8, 32, but feature maps are 4×8, 16×32; set attention_at = \[4, 16\]",
    ):
        site.expect_sizes("attention_at", (8, 32), [(16, 32), (4, 8)])


@pytest.mark.parametrize("fewest", [0, 1])
def test_a_site_returns_the_doublings_or_names_the_nearest_sizes(fewest: int) -> None:
    site = Site(channels=3, path="generator")
    assert site.doublings(64, fewest) == Doublings.all(64, fewest) != []
    rule = "generator: needs images that can be halved to a feature map of at most 8×8, got 100×100 pixels"
    with pytest.raises(UnfitSize, match=f"{rule}; use images of 96×96 or 112×112 pixels"):
        site.doublings(100, fewest)
    assert site.doublings(7, 0)
    with pytest.raises(UnfitSize, match="got 7×7 pixels; use images of 6×6 or 8×8 pixels"):
        site.doublings(7, 1)


def test_a_network_without_any_size_says_so() -> None:
    error = Site(channels=3, path="generator").unfit(7, "needs no images", lambda size: False)
    assert isinstance(error, UnfitSize)
    assert str(error) == "generator: needs no images, got 7×7 pixels; use another network"
