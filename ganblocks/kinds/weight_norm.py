"""Weight norm: a reparametrisation that wraps a layer with a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import nn


class WeightNorm(Protocol):
    """Bounds or fixes the scale of a layer's weight."""

    def wrap(self, layer: nn.Module) -> nn.Module:
        """Return a module that owns ``layer`` and is called in the same way. The layer is initialised; its bias stays as it is.

        The wrapper exposes ``.weight`` (normalised, differentiable) and ``.bias``, so that a network can fold a resampling
        into the kernel. Estimates of the weight are advanced by ``HasEstimates.advance``, never by forward.
        """
        ...
