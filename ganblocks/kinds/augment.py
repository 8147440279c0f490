"""Augment: random changes of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import nn


class Augment(Protocol):
    """Fits two sockets: ``data.augment`` (real images, as data) and ``discriminator.augment`` (all that D sees)."""

    differentiable: ClassVar[bool]
    """True if gradients pass through it, as ``discriminator.augment`` requires."""

    def build(self) -> nn.Module:
        """Return a module with forward(image [B, C, H, W] in [-1, 1], rng) -> image of equal shape.

        ``rng`` is a CPU generator, the only source of randomness: equal seeds give equal changes on every device.
        """
        ...
