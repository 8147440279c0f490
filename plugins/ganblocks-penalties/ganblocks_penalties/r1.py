"""R1: a gradient penalty at real images."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import nn

from ganblocks import Player
from ganblocks_penalties.slope import HalfSquaredSlope


@frozen(kw_only=True)
class R1:
    """R1: pull the discriminator's slope to 0 at real images.

    R = ½ E‖∇D(x)‖² over real x. The recipe's ``weight`` is the paper's γ (10 there; 0.1 to 10 are usual).

    Use it with "non_saturating" and other losses whose optimum is a flat discriminator; ``every`` = 16 makes it lazy and
    cheap. Do not use it with "wasserstein", whose critic needs slope 1.

    Source: Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?", arXiv:1801.04406, equation 9.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = True

    def build(self) -> nn.Module:
        """Return the penalty's module: turn -> 0-dim."""
        return HalfSquaredSlope("real")
