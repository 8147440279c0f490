"""The non-saturating loss, usually meant by "the GAN loss"."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import Tensor
from torch.nn import functional

LINEAR_FROM = 40.0
"""From here on ln(1 + eᵗ) equals t in float64, because e⁻⁴⁰ = 4e-18; eᵗ does not overflow here in float32."""


@frozen(kw_only=True)
class NonSaturating:
    """Logistic regression for the discriminator; the generator maximises the log-probability of "real".

    With r = D(x), f = D(G(z)) and sp(t) = ln(1 + eᵗ): L_D = E[sp(-r)] + E[sp(f)] and L_G = E[sp(-f)]. At D = 0: 2 ln 2 and
    ln 2. The softplus neither saturates nor overflows: at f = -200 the generator's loss is 200, and its gradient -1.

    Use it as the baseline, and with ``r1``, as StyleGAN does; with spectral norm ``hinge`` is more usual.

    Source: Goodfellow et al. (2014), "Generative Adversarial Networks", arXiv:1406.2661, section 3.
    """

    generator_reads_real: ClassVar[bool] = False

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[sp(-r)] + E[sp(f)], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return softplus(-real).mean() + softplus(fake).mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return E[sp(-f)], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return softplus(-fake).mean()


def softplus(t: Tensor) -> Tensor:
    """Return ln(1 + eᵗ) for t of any shape. torch's default returns t from 20 on, which is off by 2e-9 in value and slope."""
    return functional.softplus(t, threshold=LINEAR_FROM)
