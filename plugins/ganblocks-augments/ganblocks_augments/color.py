"""Random brightness, saturation and contrast."""

from __future__ import annotations

import torch
from torch import Tensor


def color_ranges(brightness: float, saturation: float, contrast: float) -> list[tuple[float, float]]:
    """Return the ranges of b, s and k."""
    return [(-brightness, brightness), (1 - saturation, 1 + saturation), (1 - contrast, 1 + contrast)]


def recolor(image: Tensor, amounts: Tensor) -> Tensor:
    """Change brightness, then saturation, then contrast of each image [B, C, H, W] by amounts b, s, k [B, 3].

    With g the mean over channels at each pixel and m the mean over the whole image: x + b, then g + s (x - g), then
    m + k (x - m). Brightness commutes with the others, and saturation does not change m, so that two passes over the image are
    enough: b + (1 - k) m + k (g + s (x - g)).
    """
    b, s, k = amounts[:, :, None, None, None].unbind(1)
    grey = image.mean(dim=1, keepdim=True)
    mean = grey.mean(dim=(2, 3), keepdim=True)
    return torch.addcmul(torch.addcmul(b, 1 - k, mean), k, torch.lerp(grey, image, s))
