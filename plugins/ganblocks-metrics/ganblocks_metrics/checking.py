"""Checks of features that all metrics share."""

from __future__ import annotations

import torch
from torch import Tensor

from ganblocks import DataError


def check_features(real: Tensor, fake: Tensor, which: str = "") -> tuple[Tensor, Tensor]:
    """Return both sets [n, D] and [m, D] in float64. Raises DataError for NaN, other shapes, or fewer than 2 samples."""
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
