"""Random brightness, saturation and contrast in one pass."""

from __future__ import annotations

import torch
from torch import Tensor


def recolor(image: Tensor, draws: Tensor, brightness: float, saturation: float, contrast: float) -> Tensor:
    """Change brightness, then saturation, then contrast of each image [B, C, H, W].

    With g the mean over channels at each pixel and m the mean over the whole image: x + b, then g + s (x - g), then
    m + k (x - m). All three are linear, so they are one: k s x + k (1 - s) g + (1 - k) m + b, in one pass over the image
    instead of five. b is within ± brightness, s within 1 ± saturation, k within 1 ± contrast; ``draws`` [B, 3], uniform in
    [0, 1), say where.
    """
    b, s, k = (2 * draws - 1)[:, :, None, None, None].unbind(1)
    b, s, k = brightness * b, 1 + saturation * s, 1 + contrast * k
    grey = image.mean(dim=1, keepdim=True)
    rest = k * (1 - s) * grey + ((1 - k) * grey.mean(dim=(2, 3), keepdim=True) + b)
    return torch.addcmul(rest, k * s, image)
