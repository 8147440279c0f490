"""Adaptive discriminator augmentation: changes that become likelier while the discriminator is too sure of real images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import attrs
import torch
from attrs import field, frozen
from torch import Tensor, nn

from ganblocks import Checked, Facts, Observes, Player, Turn, option
from ganblocks_augments.ada_draws import Amounts
from ganblocks_augments.cutout import cut_out
from ganblocks_augments.layout import laid_out
from ganblocks_augments.pixels import mirror, turn
from ganblocks_augments.tones import NEUTRAL, tone
from ganblocks_augments.translation import translate

POLICIES = ("flip", "rotation", "translation", "color", "cutout")


def amount(default: float, high: float = float("inf")) -> Any:
    """An option from 0 on."""
    return field(default=default, validator=[instance_of((int, float)), ge(0), le(high)])


@frozen(kw_only=True)
class ADA(Checked):
    """ADA: all that the discriminator sees is changed, with a probability p that follows how sure it is of real images.

    Every change of ``policy`` is applied to each image with probability p, each decided for itself, in the order of ``policy``;
    "color" is five changes: brightness, contrast, luma flip, hue, saturation. After every ``interval`` turns of the
    discriminator, on n real images, r = E[sign(D(T(x)))] over them; p moves by n / ``images`` up where r is above ``target``,
    and down where it is below, within [0, 1]. p is saved with the run.

    Use it in ``discriminator.augment`` when there are too few images and ``diffaug`` either is not enough or leaves marks.
    Below a p of about 0.8 the generator has no reason to imitate the changes; nothing is promised above. A loss whose logits
    have no zero (Wasserstein, relativistic) makes r meaningless. Short runs want smaller ``images``: p cannot rise faster.

    Source: Karras et al. (2020), "Training Generative Adversarial Networks with Limited Data", arXiv:2006.06676, sections 2 and
    3: r_t there; amounts and defaults are its code's. Of its changes, pixel blitting, colour and cutout are here, not those
    that resample; shifts bring in ``fill`` where the paper mirrors the edge. p is kept below 1 as well as above 0.

    Options:
        target: wanted E[sign(D(T(x)))].
        images: real images after which p can have gone from 0 to 1.
        interval: turns of the discriminator between two moves of p.
        probability: p at the start.
        policy: the changes: of "flip", "rotation", "translation", "color" and "cutout".
        translation: largest shift, as a share of the side.
        brightness: standard deviation of what is added to all pixels (which are in [-1, 1]).
        contrast: standard deviation of the binary logarithm of the factor on all pixels.
        hue: largest angle, as a share of half a turn; of no effect without three channels.
        saturation: standard deviation of the binary logarithm of the factor on distances from grey.
        cutout: side of the erased box, as a share of the image's.
        fill: what translation brings in and cutout leaves behind; images on a white ground do better with 1.
    """

    differentiable: ClassVar[bool] = True

    target: float = option(0.6, above=-1, below=1)
    images: int = option(500_000, low=1)
    interval: int = option(4, low=1)
    probability: float = amount(0.0, 1)
    policy: tuple[str, ...] = field(
        default=("flip", "rotation", "translation", "color"),
        validator=[instance_of(tuple), min_len(1), deep_iterable(in_(POLICIES))],
    )
    translation: float = amount(0.125, 1)
    brightness: float = amount(0.2)
    contrast: float = amount(0.5)
    hue: float = amount(1.0, 1)
    saturation: float = amount(1.0)
    cutout: float = amount(0.5, 1)
    fill: float = option(0.0, low=-1, high=1)

    @policy.validator
    def _each_once(self, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
        if len(set(value)) < len(value):
            raise ValueError(f"'{attribute.name}' must name each change once")

    def check(self, facts: Facts) -> Iterator[str]:
        if any(use.component is self and use.path.startswith("data.") for use in facts.uses):
            yield (
                "follows how sure the discriminator is, but changes the data, which the generator would learn to imitate; "
                "put it into discriminator.augment"
            )

    def build(self) -> nn.Module:
        return AdaptiveAugment(self)


class AdaptiveAugment(nn.Module, Observes):
    """forward(image [B, C, H, W], rng) -> image of equal shape, type and memory format; computed in float32 or better.

    Its buffers are p, and what has been observed since p last moved.
    """

    probability: Tensor
    signs: Tensor
    images: Tensor
    turns: Tensor

    def __init__(self, options: ADA) -> None:
        super().__init__()
        self.options = options
        self.amounts = Amounts(*(getattr(options, each.name) for each in attrs.fields(Amounts)))
        self.register_buffer("probability", torch.tensor(float(options.probability)))
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("images", torch.zeros(()))
        self.register_buffer("turns", torch.zeros((), dtype=torch.int64))

    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        changed = image.to(torch.promote_types(image.dtype, torch.float32))
        shares, amounts = self.amounts.draw(changed, rng)
        taken = shares < self.probability
        for name in self.options.policy:
            changed = self._change(name, changed, taken, amounts)
        return laid_out(changed, image)

    def _change(self, name: str, image: Tensor, taken: Tensor, amounts: Tensor) -> Tensor:
        """One change of the policy, where it takes part; other images stay to the bit."""
        match name:
            case "flip":
                return mirror(image, _each(taken[:, 0] & (amounts[:, 0] == 1)))
            case "rotation":
                return turn(image, _each(taken[:, 1] * amounts[:, 1]))
            case "translation":
                return translate(image, taken[:, 2:3] * amounts[:, 2:4], self.options.fill)
            case "color":
                colours = torch.where(taken[:, 3:8], amounts[:, 4:9], _neutral(amounts))
                return torch.where(_each(taken[:, 3:8].any(1)), tone(image, colours), image)
        erased = cut_out(image, amounts[:, 9:], self.options.cutout, self.options.fill)
        return torch.where(_each(taken[:, 8]), erased, image)

    def observe(self, turn: Turn) -> None:
        """Count what a discriminator's turn says of real images, and move p after every ``interval`` turns; no host read."""
        if turn.player is not Player.DISCRIMINATOR or turn.real is None:
            return
        logits = turn.real.score.logits
        self.signs.add_(logits.sign().sum().to(self.signs))
        self.images.add_(len(logits))
        self.turns.add_(1)
        self._move(self.turns % self.options.interval == 0)

    def _move(self, due: Tensor) -> None:
        """p ← p + sign(r - target) · n / images within [0, 1], and count anew, where ``due`` (0-dim bool)."""
        excess = (self.signs / self.images - self.options.target).sign()
        self.probability.add_(due * excess * self.images / self.options.images).clamp_(0, 1)
        self.signs.mul_(~due)
        self.images.mul_(~due)


def _each(values: Tensor) -> Tensor:
    """[B] -> [B, 1, 1, 1], to go with images."""
    return values[:, None, None, None]


def _neutral(like: Tensor) -> Tensor:
    """The colours that change nothing, [5]; made of numbers, because a copy from the host would make it wait."""
    return torch.stack([like.new_full((), value) for value in NEUTRAL])
