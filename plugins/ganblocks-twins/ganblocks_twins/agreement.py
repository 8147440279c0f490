"""Agreement: whether two halves of an image carry the same texture."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor

from ganblocks import DataError, ReferenceFree, Sample


@frozen(kw_only=True)
class Agreement(ReferenceFree):
    """The share of equal signs in the two halves of an image's features, relative to halves of different images.

    ``agreement`` is rescaled so that halves exchanged between images have ½ and equal signs have 1: neither a grey that all
    images share nor one texture everywhere counts. ``equal`` and ``exchanged`` are the two shares.

    Use it with the extractor ``twins``, or with any whose features are two halves that should agree in sign.

    Source: made for ganblocks; no paper. docs/explanation/does-attention-help.md uses it.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"agreement": "higher"}

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Return the three numbers of the fakes' features [n, 2 · bits]."""
        left, right = signs(fake.features)
        n, bits = left.shape
        within = float((left * right).sum()) / (n * bits)
        among = (float(left.sum(0) @ right.sum(0)) - within * n * bits) / (n * (n - 1) * bits)
        beyond = (within - among) / (1 - among) if among < 1 else 0.0
        return {"agreement": (1 + beyond) / 2, "equal": (1 + within) / 2, "exchanged": (1 + among) / 2}


def signs(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return both halves of [n, 2 · bits] as [n, bits] of -1 and 1, in float64. Raises DataError for other shapes and NaN."""
    if features.ndim != 2 or features.shape[1] % 2 or len(features) < 2:
        raise DataError(f"features of shape {list(features.shape)}: agreement needs [n, an even number] and n of 2 or more")
    if not torch.isfinite(features).all():
        raise DataError("features are not finite")
    left, right = torch.where(features > 0, 1.0, -1.0).double().chunk(2, 1)
    return left, right
