"""Numbers of the attention maps of examined blocks, made a few images at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from ganblocks.training.block_records import BlockRecord
from ganblocks.training.map_numbers import Grid, MapNumbers, measure


def measured(record: BlockRecord, image: Tensor, images: int | None = None) -> tuple[dict[str, Tensor], Grid]:
    """Return the numbers of a block's maps, name -> [B], and the grid of its keys; of the first ``images`` if given.

    ``image``: [B, C, H, W], those that the network has made or has seen. Only within the ``read`` of ``examine``.
    """
    parts: dict[str, list[Tensor]] = {}
    grid = (0, 0)
    for part, attention, grid in record.maps(images):
        for name, value in measure(attention, record.queries, grid, image[part], record.keys_seen).items():
            parts.setdefault(name, []).append(value)
    return {name: torch.cat(values) for name, values in parts.items()}, grid


def numbers_of(record: BlockRecord, image: Tensor) -> MapNumbers:
    """Return the estimates of a block's maps over images [B, C, H, W]. Only within the ``read`` of ``examine``."""
    values, grid = measured(record, image)
    return MapNumbers.of_values({name: value.cpu() for name, value in values.items()}, record.queries, grid)
