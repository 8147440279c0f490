"""Agreement: whether two halves of an image say the same."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor

from ganblocks import DataError, JudgesAlone, Sample


@frozen(kw_only=True)
class Agreement(JudgesAlone):
    """How far the first half of an image's features has the signs of the second half, beyond what other images' have.

    ``agreement`` is the share of equal signs within images, put on a scale where partners exchanged between images have ½ and
    equal signs have 1; so neither a grey that all images share nor one texture everywhere counts. ``equal`` and ``exchanged``
    are the two shares as they are.

    Use it with the extractor ``twins``, or with any whose features are two halves that should agree in sign.

    Source: made for ganblocks; no paper. docs/explanation/does-attention-help.md uses it.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"agreement": "higher"}

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        left, right = signs(fake.features)
        n, bits = left.shape
        within = float((left * right).sum()) / (n * bits)
        among = (float(left.sum(0) @ right.sum(0)) - within * n * bits) / (n * (n - 1) * bits)
        beyond = (within - among) / (1 - among) if among < 1 else 0.0
        return {"agreement": (1 + beyond) / 2, "equal": (1 + within) / 2, "exchanged": (1 + among) / 2}


def signs(features: Tensor) -> tuple[Tensor, Tensor]:
    """[n, 2·bits] -> two of [n, bits] of -1 and 1, in float64."""
    if features.ndim != 2 or features.shape[1] % 2 or len(features) < 2:
        raise DataError(f"features of shape {list(features.shape)}: agreement needs [n, an even number] and n of 2 or more")
    if not torch.isfinite(features).all():
        raise DataError("features are not finite")
    left, right = torch.where(features > 0, 1.0, -1.0).double().chunk(2, 1)
    return left, right
