"""A data set that is one uint8 tensor: reading a batch is one indexing."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from ganblocks import Images


def in_memory(pixels: Tensor, labels: Tensor, held_out: Tensor) -> Images:
    """Wrap decoded images.

    Args:
        pixels: uint8 [n, C, H, W].
        labels: int64 [n].
        held_out: bool [n]; the others are the training images.
    """
    pixels = pixels.contiguous()
    return Images(
        read=lambda indices: pixels.index_select(0, indices),
        labels=labels,
        fingerprint=_fingerprint(pixels, labels, held_out),
        split=split(held_out),
    )


def split(held_out: Tensor) -> dict[str, Tensor]:
    """bool [n] -> the two sides as int64 indices, in ascending order."""
    return {"train": torch.nonzero(~held_out).flatten(), "held_out": torch.nonzero(held_out).flatten()}


def _fingerprint(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
