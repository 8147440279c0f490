"""WGAN-GP's gradient penalty: slope 1 between real images and fakes."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import Player, Turn, option
from ganblocks_penalties.slope import image_gradient, norms


@frozen(kw_only=True)
class GradientPenalty:
    """The discriminator's slope shall be 1 at points between real images and fakes.

    R = E[(‖∇D(x̂)‖ - t)²] with x̂ = a x + (1 - a) G(z), one a per sample, uniform in [0, 1). x̂ has the label of x.
    One-sided, only slopes above t count: E[max(0, ‖∇D(x̂)‖ - t)²]. The recipe's ``weight`` is the paper's λ (10 there). It
    costs one forward of its own. Where the slope at a sample is exactly 0, that sample has a value but no pull.

    Use it with the "wasserstein" loss, for which it was made, and with a discriminator without batch norm; several
    discriminator steps for each of the generator are usual. Elsewhere ``r1`` is cheaper and as good a start.

    Source: Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv:1704.00028, equation 3 and Algorithm 1; it
    names the one-sided form in section 4.

    Options:
        target: t, the slope that is wanted.
        sided: "two" punishes slopes on both sides of the target, "one" those above it.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = True

    target: float = option(1.0, low=0)
    sided: Literal["two", "one"] = option("two")

    def build(self) -> nn.Module:
        return SlopeBetween(self)


class SlopeBetween(nn.Module):
    """forward(turn) -> the penalty at random points between the turn's real images and its fakes."""

    def __init__(self, options: GradientPenalty) -> None:
        super().__init__()
        self.options = options

    def forward(self, turn: Turn) -> Tensor:
        assert turn.real is not None, "a discriminator's turn has real images"
        between = interpolate(turn.real.image, turn.fake.image, turn.rng)
        logits = turn.discriminate(between, turn.real.label).logits
        excess = norms(image_gradient(logits, between)) - self.options.target
        return (relu(excess) if self.options.sided == "one" else excess).square().mean()


def interpolate(real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """a · real + (1 - a) · fake with one a per sample; images [B, C, H, W], of which at least one requires grad."""
    share = torch.rand(len(real), 1, 1, 1, generator=rng, device="cpu")
    return torch.lerp(fake, real, share.to(real, non_blocking=True))  # a plain copy to the device would make the host wait
