"""The paired relativistic loss (RpGAN), used by R3GAN."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import Tensor

from ganblocks_losses.non_saturating import softplus


@frozen(kw_only=True)
class RelativisticPaired:
    """Compare each real image with one fake: the discriminator raises the difference of their logits, the generator lowers it.

    With r = D(x), f = D(G(z)) and sp(t) = ln(1 + eᵗ): L_D = E[sp(-(r - f))] and L_G = E[sp(-(f - r))]. At D = 0: ln 2 and
    ln 2. Adding a number to all logits changes nothing. Real i is paired with fake i. R3GAN adds ``r1`` and ``r2``.

    Use it with ``r1`` and ``r2`` where modes go missing: each fake is compared with a real image. Without penalties training
    need not converge.

    Source: Jolicoeur-Martineau (2019), "The relativistic discriminator: a key element missing from standard GAN",
    arXiv:1807.00734; Huang et al. (2024), "The GAN is dead; long live the GAN!", arXiv:2501.05441.
    """

    generator_reads_real: ClassVar[bool] = True

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[sp(f - r)], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return softplus(fake - real).mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return E[sp(r - f)], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        assert real is not None, "generator_reads_real is true"
        return softplus(real - fake).mean()
