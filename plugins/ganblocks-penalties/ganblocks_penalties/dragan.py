"""DRAGAN's gradient penalty: slope 1 around real images."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import CouplesSamples, Player, Turn, option
from ganblocks_penalties.slope import add_noise, image_gradient, norms


@frozen(kw_only=True)
class Dragan(CouplesSamples):
    """DRAGAN: pull the discriminator's slope to 1 at noisy real images.

    R = E[(‖∇D(x + δ)‖ - k)²], δ ~ N(0, c I) drawn for every pixel, with √c = noise · s, where s is the standard deviation of
    all pixels of the real images of a microbatch. x + δ has the label of x. The recipe's ``weight`` is λ (10 in the code). It
    costs one forward. A sample at which the slope is exactly 0 has a value but no gradient.

    Use it with saturating or non-saturating losses whose discriminator grows steep at the data; it regularises only there, not
    between data and fakes as ``gradient_penalty`` does. ``r1``, whose target is slope 0, is the usual choice today.

    Source: Kodali et al. (2017), "On Convergence and Stability of GANs", arXiv:1705.07215. Its text fixes c. Its published code
    has λ = 10 and k = 1, and scales the noise by 0.5 s, which is the default here; but its noise is uniform, and it evaluates
    at a random point between x and x + δ.

    Options:
        noise: standard deviation of δ, in units of the standard deviation s of the real pixels.
        target: k, the target slope.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = True

    noise: float = option(0.5, low=0)
    target: float = option(1.0, low=0)

    def build(self) -> nn.Module:
        """Return the penalty's module: turn -> 0-dim."""
        return SlopeAround(self)


class SlopeAround(nn.Module):
    """forward(turn) -> the penalty at the turn's real images with noise."""

    def __init__(self, options: Dragan) -> None:
        super().__init__()
        self.options = options

    def forward(self, turn: Turn) -> Tensor:
        """Return the penalty, 0-dim."""
        assert turn.real is not None, "a discriminator's turn has real images"
        around = perturb(turn.real.image, self.options.noise, turn.rng)
        logits = turn.discriminate(around, turn.real.label).logits
        return (norms(image_gradient(logits, around)) - self.options.target).square().mean()


def perturb(image: Tensor, noise: float, rng: torch.Generator) -> Tensor:
    """Add normal noise of ``noise`` times the standard deviation of all pixels to image [B, C, H, W]."""
    return add_noise(image, noise * image.detach().std(correction=0), rng)
