"""What every metric asks of features before it believes them."""

from __future__ import annotations

import torch
from torch import Tensor

from ganblocks import DataError


def checked(real: Tensor, fake: Tensor, which: str = "") -> tuple[Tensor, Tensor]:
    """Both in float64. Raises DataError for NaN, for other shapes than [n, D], and for fewer than 2 samples."""
    for name, features in (("real", real), ("fake", fake)):
        if features.ndim != 2 or features.shape[1] != real.shape[-1]:
            raise DataError(
                f"the features of {name} images{which} have shape {list(features.shape)}, not [n, {real.shape[-1]}]"
            )
        if len(features) < 2:
            raise DataError(f"{len(features)} {name} images{which}: a distance between distributions needs at least 2")
        if not torch.isfinite(features).all():
            raise DataError(f"the features of {name} images{which} are not finite")
    return real.double(), fake.double()
