"""LeCam regularisation: predictions for each side stay near the running mean of those for the other."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import Observes, Player, Turn, option


@frozen(kw_only=True)
class LeCam:
    """LeCam: keep the discriminator's predictions near the running means of those for the other side.

    R = E[(D(x) - α_F)²] + E[(D(G(z)) - α_R)²], where α_R and α_F are running means of D(x) and D(G(z)) over the turns of the
    discriminator: the first turn sets them, and α ← decay · α + (1 - decay) · mean after each later one. The one-sided form
    counts only differences of the usual sign: max(0, D(x) - α_F)² and max(0, α_R - D(G(z)))². The recipe's ``weight`` is the
    paper's λ. It depends on the scale of the logits: the published code has 0.3 for BigGAN on CIFAR, and no more than 1e-6 for
    StyleGAN2.

    Use it where data is scarce, beside ``ada`` or ``diffaug``: it bounds the gap between the two sides, and costs no forward.
    With a loss whose logits have no zero (Wasserstein, relativistic) it also fixes their level.

    Source: Tseng et al. (2021), "Regularizing Generative Adversarial Networks under Limited Data", arXiv:2104.03310. The
    one-sided form is that of its published code, whose decay is 0.99 for StyleGAN2, and which starts late for BigGAN, after
    1,000 iterations.

    Options:
        decay: factor of the running means at each turn of the discriminator.
        start: number of images seen from which the penalty counts; before, only the means are updated.
        sided: "two" as in the paper, "one" as in the published code.
    """

    players: ClassVar[frozenset[Player]] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = False

    decay: float = option(0.99, low=0, below=1)
    start: int = option(0, low=0)
    sided: Literal["two", "one"] = option("two")

    def build(self) -> nn.Module:
        """Return the penalty's module: turn -> 0-dim."""
        return Anchors(self)


class Anchors(nn.Module, Observes):
    """forward(turn) -> the squared distances of the turn's logits from the running means, which are its buffers."""

    real: Tensor
    fake: Tensor
    turns: Tensor

    def __init__(self, options: LeCam) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("real", torch.zeros(()))
        self.register_buffer("fake", torch.zeros(()))
        self.register_buffer("turns", torch.zeros((), dtype=torch.int64))

    def forward(self, turn: Turn) -> Tensor:
        """Return the penalty, 0-dim."""
        assert turn.real is not None, "a discriminator's turn has real images"
        real, fake = turn.real.score.logits, turn.fake.score.logits
        if turn.images_seen < self.options.start:
            return fake.new_zeros(())
        above, below = real - self.fake, self.real - fake
        if self.options.sided == "one":
            above, below = relu(above), relu(below)
        return above.square().mean() + below.square().mean()

    def observe(self, turn: Turn) -> None:
        """Update the running means after a turn of the discriminator."""
        if turn.player is Player.DISCRIMINATOR and turn.real is not None:
            share = torch.where(self.turns == 0, torch.ones_like(self.real), 1 - self.options.decay)
            self.real.lerp_(turn.real.score.logits.mean().to(self.real), share)
            self.fake.lerp_(turn.fake.score.logits.mean().to(self.fake), share)
            self.turns.add_(1)
