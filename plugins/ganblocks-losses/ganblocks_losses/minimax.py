"""The minimax loss of the original zero-sum game."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import Tensor

from ganblocks_losses.non_saturating import softplus


@frozen(kw_only=True)
class Minimax:
    """Logistic regression for the discriminator; the generator minimises the log-probability of "fake".

    With r = D(x), f = D(G(z)) and sp(t) = ln(1 + eᵗ): L_D = E[sp(-r)] + E[sp(f)] and L_G = -E[sp(f)]. At D = 0: 2 ln 2 and
    -ln 2. The generator's gradient vanishes where the discriminator is sure of fakes; ``non_saturating`` avoids this.

    Use it to study the zero-sum game, and update rules on it. To generate images use ``non_saturating``.

    Source: Goodfellow et al. (2014), "Generative Adversarial Networks", arXiv:1406.2661, equation 1.
    """

    generator_reads_real: ClassVar[bool] = False

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[sp(-r)] + E[sp(f)], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return softplus(-real).mean() + softplus(fake).mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return -E[sp(f)], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return -softplus(fake).mean()
