"""Data sets in memory: one uint8 tensor, so that reading a batch is one indexing operation."""

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
        held_out: bool [n], False for training images.
    """
    pixels = pixels.contiguous()
    return Images(
        read=lambda indices: pixels.index_select(0, indices),
        labels=labels,
        fingerprint=_fingerprint(pixels, labels, held_out),
        split=split(held_out),
    )


def split(held_out: Tensor) -> dict[str, Tensor]:
    """Split a mask bool [n] into the ascending int64 indices of training and held-out images."""
    return {"train": torch.nonzero(~held_out).flatten(), "held_out": torch.nonzero(held_out).flatten()}


def _fingerprint(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
