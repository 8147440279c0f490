"""Labels that are classes or mixtures of classes: how modules that inherit ``MixesClasses`` read them.

A label is int64 [B], or for a mixture the weights of all classes, float [B, K], which sum to 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def class_rows(table: Tensor, label: Tensor) -> Tensor:
    """Return the rows [B, D] of a table [K, D] for labels int64 [B], or their weighted sums for weights float [B, K]."""
    if label.is_floating_point():
        return label.to(table.dtype) @ table
    return functional.embedding(label, table)


def class_weights(label: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Return labels int64 [B] as one-hot vectors [B, K] of a type; weights float [B, K] are only converted to it."""
    weights = label if label.is_floating_point() else functional.one_hot(label, classes)
    return weights.to(dtype)
