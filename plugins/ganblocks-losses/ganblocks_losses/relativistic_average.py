"""The average relativistic loss (RaGAN)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from attrs import frozen
from torch import Tensor

from ganblocks import Checked, CouplesSamples, Facts
from ganblocks_losses.non_saturating import softplus


@frozen(kw_only=True)
class RelativisticAverage(CouplesSamples, Checked):
    """Compare each image with the mean of the other side: real logits are pushed above the mean fake one, fakes below.

    With r = D(x), f = D(G(z)) and sp(t) = ln(1 + eᵗ): L_D = E[sp(-(r - E[f]))] + E[sp(f - E[r])], and L_G is the same with r
    and f exchanged. At D = 0: 2 ln 2 and 2 ln 2 (there is no factor ½, as in TF-GAN). Adding a number to all logits changes
    nothing. The means are those of a microbatch, of at least two: smaller microbatches are another loss.

    Use it with batches large enough for a stable mean; with a penalty such as ``r1`` the paired form is the one that is known
    to converge locally (R3GAN).

    Source: Jolicoeur-Martineau (2019), "The relativistic discriminator: a key element missing from standard GAN",
    arXiv:1807.00734.
    """

    generator_reads_real: ClassVar[bool] = True

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain about microbatches of one image."""
        if lack := facts.too_few(2):
            yield f"compares with the mean of a microbatch, which is one image here: {lack}, or use relativistic_paired"

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return L_D, 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return L_G, 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        assert real is not None, "generator_reads_real is true"
        return self.for_discriminator(real=fake, fake=real)
