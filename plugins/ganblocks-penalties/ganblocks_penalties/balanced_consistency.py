"""Balanced consistency regularisation, of real images and of fakes."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Augment, OptionError, Player, Turn, option, socket
from ganblocks_penalties.consistency import difference


@frozen(kw_only=True)
class BalancedConsistency:
    """bCR: the discriminator must score an image and its augmented copy alike, real or fake.

    R = λ_real E[(D(x) - D(T(x)))²] + λ_fake E[(D(G(z)) - D(T(G(z))))²], with T drawn anew for each image, and labels kept.
    The recipe's ``weight`` is a factor of both. It costs one forward for each side whose weight is not 0.

    Use it instead of ``consistency``: with the term for fakes, artefacts of T do not appear in samples. Together with
    ``latent_consistency`` it is the paper's ICR.

    Source: Zhao et al. (2021), "Improved Consistency Regularization for GANs", arXiv:2002.04724; λ_real = λ_fake = 10
    as there.

    Options:
        augment: T.
        real: λ_real.
        fake: λ_fake.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = False

    augment: Augment = socket("augment", default="flip_translation")
    real: float = option(10.0, low=0)
    fake: float = option(10.0, low=0)

    @fake.validator
    def _not_both_zero(self, attribute: attrs.Attribute[float], value: float) -> None:
        if not (self.real or value):
            raise OptionError("must be above 0 where real is 0", "give one of them a weight above 0", attribute.name)

    def build(self) -> nn.Module:
        """Return the penalty's module: turn -> 0-dim."""
        return BothDifferences(self)


class BothDifferences(nn.Module):
    """forward(turn) -> the weighted sum of the differences for real images and for fakes.

    These pass through the discriminator separately, so that one that mixes samples never mixes real with fake.
    """

    def __init__(self, options: BalancedConsistency) -> None:
        super().__init__()
        self.options = options
        self.augment = options.augment.build()

    def forward(self, turn: Turn) -> Tensor:
        """Return the penalty, 0-dim."""
        assert turn.real is not None, "a discriminator's turn has real images"
        total = turn.fake.score.logits.new_zeros(())
        for weight, view in ((self.options.real, turn.real), (self.options.fake, turn.fake)):
            if weight:
                total = total + weight * difference(turn, view, self.augment)
        return total
