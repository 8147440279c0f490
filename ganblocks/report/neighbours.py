"""Samples beside the training images that are nearest to them: whether a generator repeats its data."""

from __future__ import annotations

import torch
from attrs import frozen
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganblocks.training.examples import evenly_spaced
from ganblocks.training.pictures import to_bytes
from ganblocks.training.run import Run

SHOWN = 16
"""Samples."""
COMPARED = 4_000
"""Training images, evenly spaced over the data set: more take longer to read than a report may."""
COARSE = 16
"""Side of the images that are compared: a shift by a pixel then counts little."""


@frozen(eq=False)
class Neighbours:
    """Samples and their nearest training images, both uint8 [n, C, H, W]."""

    samples: Tensor
    nearest: Tensor
    compared: int
    """Training images that were compared."""
    total: int
    """Training images that there are."""


def neighbours(run: Run) -> Neighbours:
    """Return 16 samples of seed 0 with the nearest of the training images, by the mean squared distance of small copies.

    Raise DataError if the images are missing or are not those of the run.
    """
    images = run.recipe.data.dataset.open()
    run.refuse_other_images(images, "nothing is compared")
    train = images.split["train"]
    chosen = train[evenly_spaced(len(train), COMPARED)]
    copies = torch.cat([small(images.read(part)) for part in torch.split(chosen, 64)])
    samples = to_bytes(run.sampler().sample(SHOWN))
    nearest = images.read(chosen[torch.cdist(small(samples), copies).argmin(1)])
    return Neighbours(samples, nearest, len(chosen), len(train))


def small(images: Tensor) -> Tensor:
    """Return images uint8 [n, C, H, W] as rows of small copies, float32 [n, C · h · w]."""
    side = min(COARSE, images.shape[2]), min(COARSE, images.shape[3])
    return adaptive_avg_pool2d(images.float(), side).flatten(1)
