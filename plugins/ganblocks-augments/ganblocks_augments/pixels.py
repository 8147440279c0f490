"""Lossless moves of whole pixels: flips and quarter turns."""

from __future__ import annotations

import torch
from torch import Tensor


def mirror(image: Tensor, chosen: Tensor) -> Tensor:
    """Flip those of the images [B, C, H, W] left to right that are ``chosen``, bool [B, 1, 1, 1]."""
    return torch.where(chosen, image.flip(3), image)


def turn(image: Tensor, quarters: Tensor) -> Tensor:
    """Rotate each image [B, C, H, W] counter-clockwise by a number of quarter turns [B, 1, 1, 1], from 0 to 3.

    Images that are not square are rotated by half a turn if the number is 2 or 3, and unchanged otherwise.
    """
    turned = torch.where(quarters >= 2, image.flip(2, 3), image)
    if image.shape[2] != image.shape[3]:
        return turned
    return torch.where(quarters % 2 == 1, turned.rot90(1, (2, 3)), turned)
