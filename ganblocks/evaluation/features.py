"""Features of images, extracted batch by batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganblocks.training.pictures import to_bytes
from ganblocks.values import Features, Images, Sample

BATCH = 32
"""Images per forward: the feature maps of more of them do not stay in the caches of a processor."""
ReadImages = Callable[[Tensor], Tensor]
"""int64 [B] indices -> uint8 [B, C, H, W]."""


@torch.no_grad()
def extract_features(
    network: nn.Module,
    read: ReadImages,
    indices: Tensor,
    labels: Tensor | None = None,
    device: torch.device | str = "cpu",
) -> Sample:
    """Return the features [n, D] and logits [n, K] of the images at ``indices`` [n], on the CPU, with their labels [n]."""
    features: list[Features] = [network(read(part).to(device)) for part in torch.split(indices, BATCH)]
    logits = [part.logits.cpu() for part in features if part.logits is not None]
    return Sample(torch.cat([part.vector.cpu() for part in features]), torch.cat(logits) if logits else None, labels)


def noise_images(shape: tuple[int, ...], seed: int) -> ReadImages:
    """Return a reader of uniform noise images of shape [C, H, W]; each depends on the seed and its index only."""

    def read(indices: Tensor) -> Tensor:
        images = []
        for index in indices.tolist():
            rng = torch.Generator().manual_seed(seed * 1_000_003 + index)
            images.append(torch.randint(256, shape, generator=rng, dtype=torch.uint8))
        return torch.stack(images)

    return read


def generated_images(images: Tensor) -> ReadImages:
    """Return a reader of images [n, C, H, W] in [-1, 1], rounded to bytes as in a file."""
    return to_bytes(images).__getitem__


def choose_indices(images: Images, split: str, count: int, seed: int) -> Tensor:
    """Return at most ``count`` indices [n] of a split: all of them, or a sorted random subset."""
    indices = images.split[split]
    if len(indices) <= count:
        return indices
    order = torch.randperm(len(indices), generator=torch.Generator().manual_seed(seed))
    return indices[order[:count]].sort().values


def nearest_distances(features: Tensor, reference: Tensor) -> Tensor:
    """Return the Euclidean distance [n] of each row of ``features`` [n, D] to its nearest row of ``reference`` [m, D]."""
    parts = torch.split(features.double(), 1024)
    return torch.cat([torch.cdist(part, reference.double()).min(dim=1).values for part in parts])
