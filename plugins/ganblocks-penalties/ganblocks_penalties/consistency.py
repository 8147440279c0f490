"""Consistency regularisation: the discriminator says the same of a real image and of its augmented copy."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Augment, Player, Turn, View, socket


@frozen(kw_only=True)
class Consistency:
    """CR: the discriminator says the same of a real image and of its augmented copy.

    R = E[(D(x) - D(T(x)))²], with T drawn anew for each image. T(x) has the label of x. The recipe's ``weight`` is the paper's
    λ (10 there). It costs one forward of its own. If ``discriminator.augment`` is used as well, both images pass through it,
    each with draws of its own.

    Use it where the data is scarce and a change is known not to matter (a shift, a mirror where mirrored images are plausible).
    The generator may learn to make what only T makes, since fakes are not held to it: prefer ``balanced_consistency``.

    Source: Zhang et al. (2020), "Consistency Regularization for Generative Adversarial Networks", arXiv:1910.12027, at the last
    layer before the loss, as there.

    Options:
        augment: T.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = False

    augment: Augment = socket("augment", default="flip_translation")

    def build(self) -> nn.Module:
        return RealDifference(self.augment.build())


class RealDifference(nn.Module):
    """forward(turn) -> E[(D(x) - D(T(x)))²] on the turn's real images; D(x) is the score that the turn already has."""

    def __init__(self, augment: nn.Module) -> None:
        super().__init__()
        self.augment = augment

    def forward(self, turn: Turn) -> Tensor:
        assert turn.real is not None, "a discriminator's turn has real images"
        return difference(turn, turn.real, self.augment)


def difference(turn: Turn, view: View, augment: nn.Module) -> Tensor:
    """E[(D(x) - D(T(x)))²] for one side of a turn: 0-dim."""
    changed = turn.discriminate(augment(view.image, turn.rng), view.label)
    return (view.score.logits - changed.logits).square().mean()
