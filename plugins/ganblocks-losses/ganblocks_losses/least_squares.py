"""The least-squares loss (LSGAN)."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import Tensor


@frozen(kw_only=True)
class LeastSquares:
    """Regress the discriminator to 1 on real images and 0 on fakes; the generator aims at 1.

    With r = D(x) and f = D(G(z)), both raw logits: L_D = ½ E[(r - 1)²] + ½ E[f²] and L_G = ½ E[(f - 1)²]. At D = 0: ½ and ½.

    Use it where a confident discriminator leaves the generator without gradient: here gradients grow with the distance from the
    target. Logits far outside [0, 1], as in early steps without a norm, give large gradients; lower the rate then.

    Source: Mao et al. (2017), "Least Squares GANs", arXiv:1611.04076, with targets a = 0, b = c = 1.
    """

    generator_reads_real: ClassVar[bool] = False

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return ½ E[(r - 1)²] + ½ E[f²], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return 0.5 * ((real - 1).square().mean() + fake.square().mean())

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return ½ E[(f - 1)²], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return 0.5 * (fake - 1).square().mean()
