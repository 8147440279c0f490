"""Changes of colour as a vector: brightness, contrast, luma flip, hue and saturation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

NEUTRAL = (0.0, 1.0, 1.0, 0.0, 1.0)
"""The brightness, contrast, luma sign, hue and saturation of an unchanged image."""


def tone(image: Tensor, amounts: Tensor) -> Tensor:
    """Change the colours of each image [B, C, H, W] by amounts b, c, f, θ, s [B, 5], in this order.

    x + b; c x; negate the grey part (f = -1) or not (1); rotate by θ about the grey axis; scale the distance from it by s.
    With g the mean over channels, x - g is orthogonal to the grey axis, so that all five are one pass over the image:
    f c (g + b) + c s (cos θ (x - g) + sin θ u × x), where u = (1, 1, 1) / √3. Without three channels there is no hue.
    """
    b, c, f, theta, s = amounts[:, :, None, None, None].unbind(1)
    grey = image.mean(dim=1, keepdim=True)
    colour = image - grey
    if image.shape[1] == 3:
        across = (image.roll(1, 1) - image.roll(-1, 1)) / math.sqrt(3)
        colour = torch.cos(theta) * colour + torch.sin(theta) * across
    return torch.addcmul(f * c * (grey + b), c * s, colour)
