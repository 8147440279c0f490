"""R1: no slope at real images."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Player, Turn
from ganblocks_penalties.slope import half_mean_square, image_gradient


@frozen(kw_only=True)
class R1:
    """R1: the discriminator shall be flat at real images.

    R = ½ E‖∇D(x)‖² over real x. The recipe's ``weight`` is the paper's γ (10 there; 0.1 to 10 are usual).

    Use it with "non_saturating" and other losses whose optimum is a flat discriminator; ``every`` = 16 makes it lazy and
    cheap. Not with "wasserstein", which wants slope 1.

    Source: Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?", arXiv:1801.04406, equation 9.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = True

    def build(self) -> nn.Module:
        return SlopeAtReal()


class SlopeAtReal(nn.Module):
    """forward(turn) -> ½ E‖∇D(x)‖² on the turn's real images; reads the scores that the turn already has."""

    def forward(self, turn: Turn) -> Tensor:
        assert turn.real is not None, "a discriminator's turn has real images"
        return half_mean_square(image_gradient(turn.real.score.logits, turn.real.image))
