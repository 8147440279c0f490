"""Adaptive discriminator augmentation: changes become likelier while the discriminator is too sure of real images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Checked, Facts, Observes, Player, Turn, full_precision, option
from ganblocks_augments.common import distinct, laid_out, uniform
from ganblocks_augments.cutout import corner_ranges, cut_out
from ganblocks_augments.pixels import mirror, turn
from ganblocks_augments.tones import NEUTRAL, tone
from ganblocks_augments.translation import shift_ranges, translate

Change = Literal["flip", "rotation", "translation", "color", "cutout"]
DRAWS = ("flip", "rotation", "translation", "brightness", "contrast", "luma", "hue", "saturation", "cutout")
"""The changes that are applied or not by a draw of their own."""


@frozen(kw_only=True)
class ADA(Checked):
    """ADA: change every input of the discriminator with a probability p that adapts to how sure it is of real images.

    Each change of ``policy`` is applied to each image with probability p, independently, in the order of ``policy``; "color" is
    five changes: brightness, contrast, luma flip, hue, saturation. After every ``interval`` turns of the discriminator, with n
    real images and r = E[sign(D(T(x)))] over them, p rises by n / ``images`` if r is above ``target``, and falls by as much if
    it is below, within [0, 1]. p is saved with the run.

    Use it in ``discriminator.augment`` if there are too few images and ``diffaug`` is not enough or leaves artefacts. Below a p
    of about 0.8 the generator has no reason to imitate the changes; above, it may. r is meaningless for losses whose logits
    have no zero (Wasserstein, relativistic). Short runs need a smaller ``images``, so that p can rise fast enough.

    Source: Karras et al. (2020), "Training Generative Adversarial Networks with Limited Data", arXiv:2006.06676, sections 2 and
    3: r_t there; amounts and defaults are its code's. Of its changes, pixel blitting, colour and cutout are here, not those
    that resample; shifts uncover ``fill`` where the paper mirrors the edge. p is kept below 1 as well as above 0.

    Options:
        target: target of E[sign(D(T(x)))].
        images: number of real images in which p can rise from 0 to 1.
        interval: turns of the discriminator between two updates of p.
        probability: p at the start.
        policy: the changes: "flip", "rotation", "translation", "color", "cutout".
        translation: largest shift, as a share of the side.
        brightness: standard deviation of what is added to all pixels (which are in [-1, 1]).
        contrast: standard deviation of the binary logarithm of the factor on all pixels.
        hue: largest angle, as a share of half a turn; without effect unless there are three channels.
        saturation: standard deviation of the binary logarithm of the factor on distances from grey.
        cutout: side of the erased box, as a share of the image's.
        fill: value of the pixels that translation uncovers and cutout erases; 1 is better on a white background.
    """

    differentiable: ClassVar[bool] = True

    target: float = option(0.6, above=-1, below=1)
    images: int = option(500_000, low=1)
    interval: int = option(4, low=1)
    probability: float = option(0.0, low=0, high=1)
    policy: tuple[Change, ...] = option(("flip", "rotation", "translation", "color"), min_items=1, validator=distinct)
    translation: float = option(0.125, low=0, high=1)
    brightness: float = option(0.2, low=0)
    contrast: float = option(0.5, low=0)
    hue: float = option(1.0, low=0, high=1)
    saturation: float = option(1.0, low=0)
    cutout: float = option(0.5, low=0, high=1)
    fill: float = option(0.0, low=-1, high=1)

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain about use on the data."""
        if any(use.component is self and use.path.startswith("data.") for use in facts.uses):
            yield (
                "adapts to the discriminator, but changes the data, so that the generator would learn to imitate the changes; "
                "use it as discriminator.augment"
            )

    def build(self) -> nn.Module:
        """Return the module: (image [B, C, H, W], rng) -> image."""
        return AdaptiveAugment(self)


class AdaptiveAugment(nn.Module, Observes):
    """forward(image [B, C, H, W], rng) -> image of equal shape, type and memory format; computed in float32 at least.

    Its buffers are p, and the observations since the last update of p.
    """

    probability: Tensor
    signs: Tensor
    images: Tensor
    turns: Tensor

    def __init__(self, options: ADA) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("probability", torch.tensor(float(options.probability)))
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("images", torch.zeros(()))
        self.register_buffer("turns", torch.zeros((), dtype=torch.int64))

    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        """Return image [B, C, H, W] changed, in its type and memory format."""
        changed = full_precision(image)
        shares, amounts = self.draw(changed, rng)
        applied = shares < self.probability
        for name in self.options.policy:
            changed = self._change(name, changed, applied, amounts)
        return laid_out(changed, image)

    def draw(self, image: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw for images [B, C, H, W]: (uniform in [0, 1) for each of DRAWS [B, 9], amounts [B, 11]), on their device.

        Amounts: flipped (0 or 1), quarter turns, shift down and right, b, c, f, θ and s of ``tone``, row and column of the
        box's corner. All are drawn on the CPU, whatever is applied, and copied at once, so that the host does not wait.
        """
        options, batch, (height, width) = self.options, len(image), image.shape[2:]
        shares = torch.rand(batch, len(DRAWS), generator=rng, device="cpu").double()  # rounding must not bring one to 1
        shifts, corners = shift_ranges(height, width, options.translation), corner_ranges(height, width, options.cutout)
        whole = uniform([(0, 2), (0, 4), *shifts, (0, 2), *corners], batch, rng).floor()
        turned = torch.rand(batch, 1, generator=rng, dtype=torch.float64, device="cpu")
        b, c, s = torch.randn(batch, 3, generator=rng, dtype=torch.float64, device="cpu").unsqueeze(2).unbind(1)
        tones = [
            options.brightness * b,
            torch.exp2(options.contrast * c),
            1 - 2 * whole[:, 4:5],
            math.pi * options.hue * (2 * turned - 1),
            torch.exp2(options.saturation * s),
        ]
        draws = torch.cat([shares, whole[:, :4], *tones, whole[:, 5:]], dim=1).to(image.device, image.dtype, non_blocking=True)
        return draws[:, : len(DRAWS)], draws[:, len(DRAWS) :]

    def _change(self, name: Change, image: Tensor, applied: Tensor, amounts: Tensor) -> Tensor:
        """Apply one change of the policy to the images for which it was drawn, and return the others bit for bit."""
        match name:
            case "flip":
                return mirror(image, _per_image(applied[:, 0] & (amounts[:, 0] == 1)))
            case "rotation":
                return turn(image, _per_image(applied[:, 1] * amounts[:, 1]))
            case "translation":
                return translate(image, applied[:, 2:3] * amounts[:, 2:4], self.options.fill)
            case "color":
                colours = torch.where(applied[:, 3:8], amounts[:, 4:9], _neutral(amounts))
                return torch.where(_per_image(applied[:, 3:8].any(1)), tone(image, colours), image)
        erased = cut_out(image, amounts[:, 9:], self.options.cutout, self.options.fill)
        return torch.where(_per_image(applied[:, 8]), erased, image)

    def observe(self, turn: Turn) -> None:
        """Count the signs of a discriminator turn's real logits, and update p after every ``interval`` turns."""
        if turn.player is not Player.DISCRIMINATOR or turn.real is None:
            return
        logits = turn.real.score.logits
        self.signs.add_(logits.sign().sum().to(self.signs))
        self.images.add_(len(logits))
        self.turns.add_(1)
        self._update(self.turns % self.options.interval == 0)

    def _update(self, due: Tensor) -> None:
        """If ``due`` (0-dim bool): p ← p + sign(r - target) · n / images within [0, 1], and reset the counts."""
        excess = (self.signs / self.images - self.options.target).sign()
        self.probability.add_(due * excess * self.images / self.options.images).clamp_(0, 1)
        self.signs.mul_(~due)
        self.images.mul_(~due)


def _per_image(values: Tensor) -> Tensor:
    """Return values [B] as [B, 1, 1, 1]."""
    return values[:, None, None, None]


def _neutral(like: Tensor) -> Tensor:
    """Return NEUTRAL, [5], on the device of ``like``; a copy from the host would make it wait."""
    return torch.stack([like.new_full((), value) for value in NEUTRAL])
