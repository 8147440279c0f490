"""Distances between features, in parts, so that memory grows with the number of images and not with its square."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

ROWS = 1024
"""Images whose distances to all others are in memory at once."""
KEPT = 8
"""Neighbours of real images whose distances are kept."""

_kept: WeakIdKeyDictionary = WeakIdKeyDictionary()  # features -> their version, and distances of the nearest neighbours


def distances(one: Tensor, two: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield part after part of the Euclidean distances [n, m] between features [n, D] and [m, D], each with its rows."""
    for start in range(0, len(one), ROWS):
        part = slice(start, start + ROWS)
        yield part, torch.cdist(one[part], two)


def reach_of(features: Tensor, k: int) -> Tensor:
    """Return the distance [n] of each row of features [n, D] to its k-th nearest other row, k below n."""
    return _nearest(features, k)[:, k]


def reach_of_real(key: Tensor, features: Tensor, k: int) -> Tensor:
    """Return :func:`reach_of`, computed once for the ``key`` [n, D] that ``features`` [n, D] follow from.

    Metrics share it for the samples and all controls, as long as the key lives and is not changed.
    """
    if k > KEPT or key.is_inference():  # whose version is not counted
        return reach_of(features, k)
    version, nearest = _kept.get(key, (None, None))  # type: ignore[no-untyped-call]
    if nearest is None or version != key._version:
        nearest = _nearest(features, min(KEPT, len(features) - 1))
        _kept[key] = key._version, nearest
    reach: Tensor = nearest[:, k]
    return reach


def _nearest(features: Tensor, k: int) -> Tensor:
    """Return the distances [n, k + 1] of each row to itself and its k nearest others, in ascending order."""
    return torch.cat([part.topk(k + 1, largest=False).values for _, part in distances(features, features)])
