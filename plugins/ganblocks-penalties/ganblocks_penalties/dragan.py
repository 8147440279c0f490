"""DRAGAN's gradient penalty: slope 1 around real images."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import CouplesSamples, Player, Turn, option
from ganblocks_penalties.slope import image_gradient, norms


@frozen(kw_only=True)
class Dragan(CouplesSamples):
    """DRAGAN: the discriminator's slope shall be 1 at noisy real images.

    R = E[(‖∇D(x + δ)‖ - k)²], δ ~ N(0, c I) drawn for every pixel, with √c = noise · s, where s is the standard deviation of
    all pixels of the real images of a microbatch. x + δ has the label of x. The recipe's ``weight`` is λ (10 in the code). It
    costs one forward of its own. Where the slope at a sample is exactly 0, that sample has a value but no pull.

    Use it with saturating or non-saturating losses whose discriminator grows sharp at the data; it regularises only there, and
    not between data and fakes as ``gradient_penalty`` does. ``r1``, which wants no slope at all, is the usual choice today.

    Source: Kodali et al. (2017), "On Convergence and Stability of GANs", arXiv:1705.07215. Its text fixes c. Its published code
    has λ = 10 and k = 1, and scales the noise by 0.5 s, which is the default here; but it draws uniform numbers, and goes only
    a random share of the way from x to x + δ.

    Options:
        noise: standard deviation of δ, in units of the standard deviation s of the real pixels.
        target: k, the slope that is wanted.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = True

    noise: float = option(0.5, low=0)
    target: float = option(1.0, low=0)

    def build(self) -> nn.Module:
        return SlopeAround(self)


class SlopeAround(nn.Module):
    """forward(turn) -> the penalty at the turn's real images, each moved by noise."""

    def __init__(self, options: Dragan) -> None:
        super().__init__()
        self.options = options

    def forward(self, turn: Turn) -> Tensor:
        assert turn.real is not None, "a discriminator's turn has real images"
        around = perturb(turn.real.image, self.options.noise, turn.rng)
        logits = turn.discriminate(around, turn.real.label).logits
        return (norms(image_gradient(logits, around)) - self.options.target).square().mean()


def perturb(image: Tensor, noise: float, rng: torch.Generator) -> Tensor:
    """image [B, C, H, W], which requires grad, plus normal noise of ``noise`` times the standard deviation of its pixels."""
    spread = image.detach().std(correction=0)
    normal = torch.randn(image.shape, generator=rng, device="cpu")
    return image + noise * spread * normal.to(image, non_blocking=True)
