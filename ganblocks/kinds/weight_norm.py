"""Weight norm: a reparametrisation that wraps a layer with a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn


class WeightNorm(Protocol):
    """Bounds or fixes the scale of a layer's weight."""

    def wrap(self, layer: nn.Module) -> nn.Module:
        """A module that is called as ``layer`` is, and owns it. The layer is already initialised; its bias stays as it is.

        The wrapper exposes ``.weight`` (the normalised weight, differentiable) and ``.bias``, so that a network may fold a
        resampling into the kernel. State that follows the weight is advanced by ``HasEstimates.advance``, never by forward.
        """
        ...
