"""R2: a gradient penalty at fakes."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import nn

from ganblocks import Player
from ganblocks_penalties.slope import HalfSquaredSlope


@frozen(kw_only=True)
class R2:
    """R2: pull the discriminator's slope to 0 at fakes.

    R = ½ E‖∇D(G(z))‖². The recipe's ``weight`` is the paper's γ.

    Use it together with ``r1``, at equal weights, as R3GAN does; alone, ``r1`` is the usual choice.

    Source: Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?", arXiv:1801.04406, equation 10;
    R3GAN is Huang et al. (2024), arXiv:2501.05441.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = True

    def build(self) -> nn.Module:
        """Return the penalty's module: turn -> 0-dim."""
        return HalfSquaredSlope("fake")
