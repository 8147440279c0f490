"""Which queries of an image are shown: given ones, or some that differ in colour and place."""

from __future__ import annotations

import re

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganblocks.errors import UsageError
from ganblocks.training.map_numbers import Grid

PLACE = 0.5
"""The weight of places beside colours: the sides of an image are this far apart, black and white 1."""
QUERIES = 4
"""Queries of an image, where none are given."""
POSITION = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*")


def spread_queries(image: Tensor, grid: Grid, count: int = QUERIES) -> list[int]:
    """Return the numbers of ``count`` queries that are far from each other in colour and place, in row-major order.

    The first is the position at the centre; each further one is that whose smallest distance to those before is largest. The
    distance is Euclidean, in colour and in place. Equal images give equal queries.

    Args:
        image: uint8 [C, H, W].
        grid: height and width of the grid of queries.
        count: how many, if there are as many.
    """
    rows, columns = ((torch.arange(side) + 0.5) / side for side in grid)
    positions = PLACE * torch.cartesian_prod(rows, columns)
    colour = adaptive_avg_pool2d(image.float() / 255, grid).flatten(1).T / len(image) ** 0.5
    features = torch.cat([positions, colour], 1)
    chosen = [grid[0] // 2 * grid[1] + grid[1] // 2]
    nearest = torch.cdist(features[chosen], features)[0]
    while len(chosen) < min(count, len(features)):
        chosen.append(int(nearest.argmax()))
        nearest = nearest.minimum(torch.cdist(features[chosen[-1:]], features)[0])
    return chosen


def given_queries(text: str, size: Grid, grid: Grid) -> list[int]:
    """Return the numbers of the queries whose cells hold the pixels of ``"y,x;y,x"``. Raise UsageError.

    Args:
        text: rows and columns of pixels, from 0 at the top left.
        size: height and width of the image.
        grid: height and width of the grid of queries.
    """
    queries = []
    for part in text.split(";"):
        match = POSITION.fullmatch(part)
        if match is None:
            raise UsageError(f"--queries {text}: {part.strip()!r} is no row,column; write pixels such as 16,8;4,20")
        pixel = int(match[1]), int(match[2])
        if any(at >= side for at, side in zip(pixel, size, strict=True)):
            last = f"rows 0 to {size[0] - 1} and columns 0 to {size[1] - 1}"
            raise UsageError(f"--queries {text}: {part.strip()} is outside of the image, which has {last}")
        row, column = (at * cells // side for at, cells, side in zip(pixel, grid, size, strict=True))
        queries.append(row * grid[1] + column)
    return queries
