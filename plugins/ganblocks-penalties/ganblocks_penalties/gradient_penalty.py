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
    """Pull the discriminator's slope to 1 at points between real images and fakes.

    R = E[(‖∇D(x̂)‖ - t)²] with x̂ = a x + (1 - a) G(z), one a per sample, uniform in [0, 1). x̂ has the label of x. The
    one-sided form counts only slopes above t: E[max(0, ‖∇D(x̂)‖ - t)²]. The recipe's ``weight`` is the paper's λ (10 there). It
    costs one forward. A sample at which the slope is exactly 0 has a value but no gradient.

    Use it with the "wasserstein" loss, for which it was designed, and a discriminator without batch norm; several discriminator
    steps per generator step are usual. With other losses ``r1`` is cheaper and as good a start.

    Source: Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv:1704.00028, equation 3 and Algorithm 1; it
    names the one-sided form in section 4.

    Options:
        target: t, the target slope.
        sided: "two" penalises slopes on both sides of the target, "one" only those above it.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = True

    target: float = option(1.0, low=0)
    sided: Literal["two", "one"] = option("two")

    def build(self) -> nn.Module:
        """Return the penalty's module: turn -> 0-dim."""
        return SlopeBetween(self)


class SlopeBetween(nn.Module):
    """forward(turn) -> the penalty at random points between the turn's real images and fakes."""

    def __init__(self, options: GradientPenalty) -> None:
        super().__init__()
        self.options = options

    def forward(self, turn: Turn) -> Tensor:
        """Return the penalty, 0-dim."""
        assert turn.real is not None, "a discriminator's turn has real images"
        between = interpolate(turn.real.image, turn.fake.image, turn.rng)
        logits = turn.discriminate(between, turn.real.label).logits
        excess = norms(image_gradient(logits, between)) - self.options.target
        return (relu(excess) if self.options.sided == "one" else excess).square().mean()


def interpolate(real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Return a · real + (1 - a) · fake, with one random a per sample, for images [B, C, H, W]."""
    share = torch.rand(len(real), 1, 1, 1, generator=rng, device="cpu")
    return torch.lerp(fake, real, share.to(real, non_blocking=True))  # a blocking copy would make the host wait
