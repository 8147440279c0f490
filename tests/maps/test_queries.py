"""Which queries a figure shows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganblocks.errors import UsageError
from ganblocks.maps.figure import centre
from ganblocks.maps.queries import given_queries, spread_queries


@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 9), st.integers(1, 8))
def test_queries_are_different_positions_and_the_same_each_time(seed: int, height: int, width: int, count: int) -> None:
    image = torch.randint(256, (3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    queries = spread_queries(image, (height, width), count)
    assert queries == spread_queries(image, (height, width), count)
    assert len(set(queries)) == len(queries) == min(count, height * width)
    assert all(0 <= query < height * width for query in queries)


def test_queries_differ_in_colour() -> None:
    """One red cell and one blue cell on white: both are chosen first after the centre."""
    image = torch.full((3, 8, 8), 255, dtype=torch.uint8)
    image[1:, 2, 5] = 0
    image[:2, 5, 1] = 0
    assert set(spread_queries(image, (8, 8), 3)) == {4 * 8 + 4, 2 * 8 + 5, 5 * 8 + 1}


def test_queries_are_given_in_pixels_row_first() -> None:
    """In an image of 32×64 pixels, 4×8 queries have cells of 8×8 pixels."""
    assert given_queries("0,0; 31,63;8,7", (32, 64), (4, 8)) == [0, 31, 8]
    image = torch.zeros(3, 32, 64)
    assert centre(8, (4, 8), image) == (12, 4)


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_the_query_of_a_pixel_is_the_cell_that_holds_it(height: int, width: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(height, 40)), data.draw(st.integers(width, 40))
    y, x = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
    (query,) = given_queries(f"{y},{x}", size, (height, width))
    row, column = divmod(query, width)
    assert row * size[0] <= y * height < (row + 1) * size[0]
    assert column * size[1] <= x * width < (column + 1) * size[1]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "is no row,column"),
        ("3", "'3' is no row,column"),
        ("3,4;", "is no row,column"),
        ("3,-1", "is no row,column"),
        ("40,3", "40,3 is outside of the image, which has rows 0 to 31 and columns 0 to 63"),
        ("3,64", "outside"),
    ],
)
def test_positions_that_are_none_are_refused(text: str, rule: str) -> None:
    with pytest.raises(UsageError, match=rule):
        given_queries(text, (32, 64), (4, 8))
