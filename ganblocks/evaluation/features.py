"""Images to samples of features, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ganblocks.values import Features, Images, Sample

BATCH = 64
Read = Callable[[Tensor], Tensor]
"""int64 [B] places -> uint8 [B, C, H, W]."""


@torch.no_grad()
def extract_features(
    network: nn.Module, read: Read, places: Tensor, labels: Tensor | None = None, device: torch.device | str = "cpu"
) -> Sample:
    """What ``network`` sees in the images at ``places``."""
    seen: list[Features] = [network(read(part).to(device)) for part in torch.split(places, BATCH)]
    logits = [part.logits.cpu() for part in seen if part.logits is not None]
    return Sample(torch.cat([part.vector.cpu() for part in seen]), torch.cat(logits) if logits else None, labels)


def noise(shape: tuple[int, ...], seed: int) -> Read:
    """Images of noise [C, H, W], each its own, for any places."""

    def read(places: Tensor) -> Tensor:
        images = []
        for place in places.tolist():
            rng = torch.Generator().manual_seed(seed * 1_000_003 + place)
            images.append(torch.randint(256, shape, generator=rng, dtype=torch.uint8))
        return torch.stack(images)

    return read


def drawn(images: Tensor) -> Read:
    """Images [n, C, H, W] in [-1, 1] that are held in memory, rounded to the bytes that a file would hold."""
    pixels = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.__getitem__


def chosen(images: Images, split: str, count: int, seed: int) -> Tensor:
    """At most ``count`` places of a split: all of them, or as many drawn without replacement."""
    places = images.split[split]
    if len(places) <= count:
        return places
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))
    return places[order[:count]].sort().values


def nearest(features: Tensor, among: Tensor) -> Tensor:
    """[n]: Euclidean distance of each row to the nearest row of ``among``."""
    return torch.cat(list(_nearest(features.double(), among.double())))


def _nearest(features: Tensor, among: Tensor) -> Iterator[Tensor]:
    for part in torch.split(features, 1024):
        yield torch.cdist(part, among).min(dim=1).values
