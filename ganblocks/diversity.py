"""How different the images of a batch are from each other: the numbers that drop when a generator's modes collapse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganblocks.values import Metrics, Player

if TYPE_CHECKING:
    from ganblocks.kinds.game import Turn

MAX_COMPARED = 64
"""At most this many images of a batch are compared with each other."""
DUPLICATE = 1e-5
"""Squared distance of two real images, as a share of the sum of their squares, up to which they count as duplicates: about half
of an 8-bit step."""


def compared_images(dataset_size: int) -> int:
    """Return how many images of a batch to compare: few enough that a generator of all training images seldom repeats one."""
    return min(MAX_COMPARED, max(dataset_size // 4, 2))


@torch.no_grad()
def diversity(turn: Turn, compared: int = MAX_COMPARED) -> Metrics:
    """Return ``real/nearest`` and ``fake/nearest``: the mean distance of an image to its nearest neighbour in the batch.

    0-dim tensors: root mean square over pixels and channels of images in [-1, 1]. Duplicates among real images are skipped,
    because a small data set has the same image twice in a batch. Empty for a batch of one and in the generator's turn.
    """
    if turn.player is not Player.DISCRIMINATOR:
        return {}
    assert turn.real is not None, "a discriminator's turn always has real images"
    real, fake = (view.image[:compared] for view in (turn.real, turn.fake))
    if len(fake) < 2:
        return {}
    return {"real/nearest": nearest_distance(real, skip_duplicates=True), "fake/nearest": nearest_distance(fake)}


def nearest_distance(image: Tensor, skip_duplicates: bool = False) -> Tensor:
    """Return the mean distance of images [B, C, H, W], B at least 2, to their nearest neighbours: 0-dim, float32.

    With ``skip_duplicates`` equal images are no neighbours; 0 if all images are equal.
    """
    flat = image.flatten(1).float()
    distances = torch.cdist(flat, flat).fill_diagonal_(torch.inf)
    if skip_duplicates:
        squares = flat.square().sum(1)
        distances = distances.masked_fill(distances.square() <= DUPLICATE * (squares[:, None] + squares), torch.inf)
    nearest = distances.amin(1)
    has_neighbour = nearest < torch.inf if skip_duplicates else torch.ones_like(nearest, dtype=torch.bool)
    mean: Tensor = nearest.where(has_neighbour, 0).sum() / has_neighbour.sum().clamp_min(1) / flat.shape[1] ** 0.5
    return mean
