"""Consistency regularisation of real images."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Augment, Player, Turn, View, socket


@frozen(kw_only=True)
class Consistency:
    """CR: the discriminator must score a real image and its augmented copy alike.

    R = E[(D(x) - D(T(x)))²], with T drawn anew for each image. T(x) has the label of x. The recipe's ``weight`` is the paper's
    λ (10 there). It costs one forward. If ``discriminator.augment`` is used as well, both images pass through it with
    independent draws.

    Use it where data is scarce and some change is known not to matter (a shift, or a flip where mirrored images are plausible).
    Artefacts of T may appear in samples, since fakes are not regularised: prefer ``balanced_consistency``.

    Source: Zhang et al. (2020), "Consistency Regularization for Generative Adversarial Networks", arXiv:1910.12027, at the last
    layer before the loss, as there.

    Options:
        augment: T.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = False

    augment: Augment = socket("augment", default="flip_translation")

    def build(self) -> nn.Module:
        """Return the penalty's module: turn -> 0-dim."""
        return RealDifference(self.augment.build())


class RealDifference(nn.Module):
    """forward(turn) -> E[(D(x) - D(T(x)))²] on the turn's real images, with D(x) from the turn."""

    def __init__(self, augment: nn.Module) -> None:
        super().__init__()
        self.augment = augment

    def forward(self, turn: Turn) -> Tensor:
        """Return the penalty, 0-dim."""
        assert turn.real is not None, "a discriminator's turn has real images"
        return difference(turn, turn.real, self.augment)


def difference(turn: Turn, view: View, augment: nn.Module) -> Tensor:
    """Return E[(D(x) - D(T(x)))²], 0-dim, for the images of ``view``."""
    augmented = turn.discriminate(augment(view.image, turn.rng), view.label)
    return (view.score.logits - augmented.logits).square().mean()
