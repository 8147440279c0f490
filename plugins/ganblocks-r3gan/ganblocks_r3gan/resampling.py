"""Resampling by two with the filter [1, 2, 1]: what is interpolated is linear between the old positions.

The filter is two averages of neighbours, so that no kernel has to be kept; outside of a feature map there is 0, as in R3GAN's
code.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad


def blur(x: Tensor) -> Tensor:
    """[1, 2, 1] / 4 along both axes: [B, C, H, W] -> the same shape."""
    # pooling does not pad by itself: on CUDA its gradient was wrong in channels_last (pytorch issues 107201 and 188344)
    return avg_pool2d(avg_pool2d(pad(x, (1, 1, 1, 1)), 2, stride=1), 2, stride=1)


def upsample(x: Tensor) -> Tensor:
    """Bilinear, [B, C, H, W] -> [B, C, 2H, 2W]: [1, 3, 3, 1] / 4 around each old position, along both axes."""
    return blur(interpolate(x, scale_factor=2, mode="nearest"))


def downsample(x: Tensor) -> Tensor:
    """The adjoint of :func:`upsample` over 4, [B, C, H, W] -> [B, C, H/2, W/2]: [1, 3, 3, 1] / 8 along both axes."""
    return avg_pool2d(blur(x), 2)
