"""Resampling by two with the filter [1, 2, 1]: interpolated values are linear between the old positions.

The filter is two averages over neighbours, so no kernel has to be stored. Outside a feature map the values are 0, as in R3GAN's
code.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad


def blur(x: Tensor) -> Tensor:
    """Filter x [B, C, H, W] by [1, 2, 1] / 4 along both axes."""
    # the pooling itself does not pad: on CUDA its gradient is wrong in channels_last (pytorch issues 107201 and 188344)
    return avg_pool2d(avg_pool2d(pad(x, (1, 1, 1, 1)), 2, stride=1), 2, stride=1)


def upsample(x: Tensor) -> Tensor:
    """Bilinear, [B, C, H, W] -> [B, C, 2H, 2W]: [1, 3, 3, 1] / 4 around each old position, along both axes."""
    return blur(interpolate(x, scale_factor=2, mode="nearest"))


def downsample(x: Tensor) -> Tensor:
    """The adjoint of :func:`upsample` over 4, [B, C, H, W] -> [B, C, H/2, W/2]: [1, 3, 3, 1] / 8 along both axes."""
    return avg_pool2d(blur(x), 2)
