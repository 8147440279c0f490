"""Initialization: how weights are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import nn


class Initialization(Protocol):
    """Fills a new layer."""

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        """Overwrite ``layer.weight`` (and set ``layer.bias``, if it has one) in place, drawing from ``rng`` only."""
        ...
