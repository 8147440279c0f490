"""The numbers of attention maps: how much they depend on the query, how even they are, how far they reach and to which colours.

Maps are β [B, heads, N, M]: N = height · width queries and M keys in row-major order, and every row sums to 1. A number of
several heads is their mean. Definitions and their sources are in docs/explanation/attention-maps.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from attrs import frozen
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

Grid = tuple[int, int]
"""Height and width of a grid of positions."""


def query_dependence(attention: Tensor) -> Tensor:
    """Return [B]: the mutual information of query and key under uniform queries, as a share of its largest value.

    It is the Jensen-Shannon divergence of the rows, H(mean of rows) - mean of H(row), over the logarithm of the smaller of N
    and M: 0 if all queries attend alike, 1 if each attends to a key of its own.
    """
    rows, mean = _entropy(attention).mean(-1), _entropy(attention.mean(-2))
    largest = math.log(max(min(attention.shape[-2:]), 2))
    return ((mean - rows).clamp_min(0) / largest).mean(-1)


def evenness(attention: Tensor, keys_seen: int | None = None) -> Tensor:
    """Return [B]: the mean entropy of the rows as a share of the largest possible; 1 if every key has the same weight.

    ``keys_seen``: how many keys each query can see, such as those of its window; None: all.
    """
    return _entropy(attention).mean((-1, -2)) / math.log(max(keys_seen or attention.shape[-1], 2))


def distances(queries: Grid, keys: Grid) -> Tensor:
    """Return [N, M]: the distances between centres of queries and of keys, in units of the image's longer side."""
    return torch.cdist(_centres(queries, queries), _centres(keys, queries))


def distance(attention: Tensor, queries: Grid, keys: Grid) -> Tensor:
    """Return [B]: the mean distance between a query and the places that it attends to, in units of the image's longer side."""
    return (attention * distances(queries, keys).to(attention)).sum(-1).mean((-1, -2))


def likeness_in_colour(image: Tensor, queries: Grid, keys: Grid) -> Tensor:
    """Return [B, N, M]: minus the Euclidean distance between the mean colours of a query's cell and of a key's cell.

    Args:
        image: [B, C, H, W], whose cells are those of both grids.
        queries: height and width of the grid of queries.
        keys: those of the grid of keys.
    """
    query, key = (adaptive_avg_pool2d(image, grid).flatten(2).mT for grid in (queries, keys))
    return -torch.cdist(query, key, compute_mode="donot_use_mm_for_euclid_dist")


def agreement(attention: Tensor, likeness: Tensor) -> Tensor:
    """Return [B]: the mean over rows of the correlation, over the keys, between attention and a likeness [B, N, M] or [N, M].

    Rows in which either does not vary have no correlation and do not count; NaN for a sample without any other row.
    """
    a = attention - attention.mean(-1, keepdim=True)
    b = likeness.to(a).expand(len(a), -1, -1).unsqueeze(1)
    b = b - b.mean(-1, keepdim=True)
    spread = a.norm(dim=-1) * b.norm(dim=-1)
    varies = (a.abs().amax(-1) > FLAT * attention.amax(-1)) & (b.abs().amax(-1) > FLAT)
    rows = (a * b).sum(-1) / spread.clamp_min(torch.finfo(a.dtype).tiny)
    return torch.where(varies, rows, 0).sum((-1, -2)) / varies.sum((-1, -2))


FLAT = 1e-6
"""A row whose values differ by less than this share of its maximum does not vary."""


@frozen
class MapEstimate:
    """A mean over samples."""

    mean: float
    margin: float | None = None
    """Half the width of the mean's 95 % confidence interval by Student's t; None for a single sample."""
    n: int = 1
    """Samples."""

    @classmethod
    def of(cls, values: Tensor) -> MapEstimate | None:
        """Return the estimate from one value per sample [B], leaving out those that are NaN; None if all are."""
        known = values[~values.isnan()].double()
        if not len(known):
            return None
        margin = float(student_t(len(known) - 1) * known.std() / len(known) ** 0.5) if len(known) > 1 else None
        return cls(float(known.mean()), margin, len(known))


def student_t(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution."""
    from scipy.stats import t  # an import that only these numbers need

    return float(t.ppf(0.975, freedom))


@frozen
class MapNumbers:
    """The numbers of one block's maps over samples."""

    query_dependence: MapEstimate
    evenness: MapEstimate
    distance: MapEstimate
    uniform_distance: float
    """The distance of a map that attends to every key alike."""
    colour_correlation: MapEstimate | None
    """Correlation between attention and likeness in colour; None where nothing varies."""
    nearness_correlation: MapEstimate | None
    """Correlation between attention and nearness."""

    @classmethod
    def of_values(cls, values: Mapping[str, Tensor], queries: Grid, keys: Grid) -> MapNumbers:
        """Return the estimates from what :func:`measure` returned: name -> [B]."""
        estimates = {name: MapEstimate.of(value) for name, value in values.items()}
        return cls(uniform_distance=float(distances(queries, keys).mean()), **estimates)  # type: ignore[arg-type]


def measure(attention: Tensor, queries: Grid, keys: Grid, image: Tensor, keys_seen: int | None = None) -> dict[str, Tensor]:
    """Return the numbers of maps [B, heads, N, M] of images [B, C, H, W]: name -> [B]."""
    return {
        "query_dependence": query_dependence(attention),
        "evenness": evenness(attention, keys_seen),
        "distance": distance(attention, queries, keys),
        "colour_correlation": agreement(attention, likeness_in_colour(image.to(attention), queries, keys)),
        "nearness_correlation": agreement(attention, -distances(queries, keys)),
    }


def _entropy(distribution: Tensor) -> Tensor:
    """Return the entropy in nats over the last dimension, [..., M] -> [...]."""
    entropy: Tensor = torch.special.entr(distribution).sum(-1)
    return entropy


def _centres(grid: Grid, image: Grid) -> Tensor:
    """Return [height · width, 2]: the centres of a grid's cells over an image of the given shape, whose longer side is 1."""
    sides = [cells / max(image) for cells in image]
    rows, columns = ((torch.arange(count) + 0.5) / count * side for count, side in zip(grid, sides, strict=True))
    return torch.cartesian_prod(rows, columns)
