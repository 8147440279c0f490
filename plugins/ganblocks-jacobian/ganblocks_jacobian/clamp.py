"""Jacobian clamping: a step in the latent shall move the image neither too little nor too far."""

from __future__ import annotations

from typing import ClassVar

import attrs
import torch
from attrs import field, frozen
from attrs.validators import ge, gt, instance_of
from torch import Tensor, nn

from ganblocks import MixesSamples, Player, Turn


@frozen(kw_only=True)
class JacobianClamp:
    """A small random step of the latent shall move the image by a factor between two bounds.

    Q = ‖G(z + δ) - G(z)‖ / ‖δ‖, with δ in a random direction and of length eps; both images are of one class.
    R = E[max(0, Q - lam_max)² + min(0, Q - lam_min)²], one Q per sample: 0 where all lie between the bounds. It costs one
    forward of the generator; where the generator mixes samples (batch norm) two, because both images must then be made in one
    batch, by one mean and variance. Where a step changes nothing at all, that sample has a value but no pull.

    Use it where ``jacobian_condition`` is high or differs from seed to seed. Bounds are in units of images in [-1, 1], so that
    Q grows with the root of the number of pixels: look at Q before you trust the defaults.

    Source: Odena et al. (2018), "Is Generator Conditioning Causally Related to GAN Performance?", arXiv:1802.08768, its
    Jacobian clamping; with one norm per sample. Bounds of 1 and 20 are those that re-implementations take.

    Options:
        lam_min: below it, the image moves too little.
        lam_max: above it, the image moves too far.
        eps: length of the step.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.GENERATOR})
    reads_image_gradient: ClassVar[bool] = False

    lam_min: float = field(default=1.0, validator=[instance_of((int, float)), ge(0)])
    lam_max: float = field(default=20.0, validator=[instance_of((int, float)), ge(0)])
    eps: float = field(default=1.0, validator=[instance_of((int, float)), gt(0)])

    @lam_max.validator
    def _above_lam_min(self, attribute: attrs.Attribute[float], value: float) -> None:
        if value < self.lam_min:
            raise ValueError(f"'{attribute.name}' must be at least lam_min, {self.lam_min:g}")

    def build(self) -> nn.Module:
        return Clamped(self)


class Clamped(nn.Module):
    """forward(turn) -> the penalty at the turn's latents."""

    def __init__(self, options: JacobianClamp) -> None:
        super().__init__()
        self.options = options

    def forward(self, turn: Turn) -> Tensor:
        options = self.options
        step = directions(turn.latent, turn.rng) * options.eps
        q: Tensor = change(turn, step).flatten(1).norm(dim=1) / options.eps
        return ((q - options.lam_max).relu().square() + (options.lam_min - q).relu().square()).mean()


def directions(latent: Tensor, rng: torch.Generator) -> Tensor:
    """Unit vectors [B, Z] in random directions."""
    drawn = torch.randn(latent.shape, generator=rng, device="cpu")
    drawn = drawn.to(latent, non_blocking=True)  # a plain copy to the device would make the host wait
    unit: Tensor = drawn / drawn.norm(dim=1, keepdim=True)
    return unit


def change(turn: Turn, step: Tensor) -> Tensor:
    """G(z + step) - G(z), [B, C, H, W]: both made alike, for the turn's latents and labels."""
    latent, label = turn.latent, turn.fake.label
    if not any(isinstance(module, MixesSamples) for module in turn.network.modules()):
        return turn.generate(latent + step, label) - turn.fake.image
    labels = None if label is None else torch.cat([label, label])
    here, there = turn.generate(torch.cat([latent, latent + step]), labels).chunk(2)
    return there - here
