"""Jacobian clamping: a step in the latent must move the image neither too little nor too far."""

from __future__ import annotations

from typing import ClassVar

import attrs
import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import MixesSamples, OptionError, Player, Turn, option


@frozen(kw_only=True)
class JacobianClamp:
    """Bounds how far a small random step of the latent moves the image.

    Q = ‖G(z + δ) - G(z)‖ / ‖δ‖, with δ in a random direction and of length eps; both images are of one class.
    R = E[max(0, Q - lam_max)² + min(0, Q - lam_min)²], one Q per sample: 0 where all lie between the bounds. It costs one
    forward pass of the generator; two if the generator mixes samples (batch norm), because both images must then share a batch,
    with one mean and variance. A sample whose image does not change at all has a value but no gradient.

    Use it where ``jacobian_condition`` is high or varies over seeds. Bounds are in units of images in [-1, 1], so that Q grows
    with the root of the number of pixels: check Q before using the defaults.

    Source: Odena et al. (2018), "Is Generator Conditioning Causally Related to GAN Performance?", arXiv:1802.08768, its
    Jacobian clamping; with one norm per sample. Bounds of 1 and 20 are common in re-implementations.

    Options:
        lam_min: lower bound of Q.
        lam_max: upper bound of Q.
        eps: length of the step.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.GENERATOR})
    reads_image_gradient: ClassVar[bool] = False

    lam_min: float = option(1.0, low=0)
    lam_max: float = option(20.0, low=0)
    eps: float = option(1.0, above=0)

    @lam_max.validator
    def _above_lam_min(self, attribute: attrs.Attribute[float], value: float) -> None:
        if value < self.lam_min:
            raise OptionError(f"must be at least lam_min, {self.lam_min:g}", "raise it, or lower lam_min", attribute.name)

    def build(self) -> nn.Module:
        """Return the penalty."""
        return Clamped(self)


class Clamped(nn.Module):
    """forward(turn) -> 0-dim: the penalty at the turn's latents."""

    def __init__(self, options: JacobianClamp) -> None:
        super().__init__()
        self.options = options

    def forward(self, turn: Turn) -> Tensor:
        """Return R, 0-dim."""
        options = self.options
        step = directions(turn.latent, turn.rng) * options.eps
        q: Tensor = change(turn, step).flatten(1).norm(dim=1) / options.eps
        return ((q - options.lam_max).relu().square() + (options.lam_min - q).relu().square()).mean()


def directions(latent: Tensor, rng: torch.Generator) -> Tensor:
    """Return unit vectors [B, Z] in random directions, for latents [B, Z]."""
    drawn = torch.randn(latent.shape, generator=rng, device="cpu")
    drawn = drawn.to(latent, non_blocking=True)  # a blocking copy would make the host wait
    unit: Tensor = drawn / drawn.norm(dim=1, keepdim=True)
    return unit


def change(turn: Turn, step: Tensor) -> Tensor:
    """Return G(z + step) - G(z), [B, C, H, W], for the turn's latents and labels, both normalised alike; step [B, Z]."""
    latent, label = turn.latent, turn.fake.label
    if not any(isinstance(module, MixesSamples) for module in turn.network.modules()):
        return turn.generate(latent + step, label) - turn.fake.image
    labels = None if label is None else torch.cat([label, label])
    here, there = turn.generate(torch.cat([latent, latent + step]), labels).chunk(2)
    return there - here
