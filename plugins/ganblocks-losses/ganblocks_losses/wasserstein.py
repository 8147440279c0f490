"""The Wasserstein loss (WGAN)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from attrs import frozen
from torch import Tensor

from ganblocks import Checked, Facts


@frozen(kw_only=True)
class Wasserstein(Checked):
    """The critic widens the gap between its means on real and fake images; the generator raises the fakes' mean.

    With r = D(x) and f = D(G(z)): L_D = E[f] - E[r] and L_G = -E[f]. At D = 0: 0 and 0. It estimates a distance only while
    something holds the critic's slope near 1, such as ``gradient_penalty`` (WGAN-GP, with weight 10).

    Use it with ``gradient_penalty``, several steps of the critic for each of the generator, and no batch norm in the critic.
    Not under spectral norm: use ``hinge`` there.

    Source: Arjovsky et al. (2017), "Wasserstein GAN", arXiv:1701.07875, equations 2 and 3; Gulrajani et al. (2017), "Improved
    Training of Wasserstein GANs", arXiv:1704.00028.
    """

    generator_reads_real: ClassVar[bool] = False

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -fake.mean()

    def check(self, facts: Facts) -> Iterator[str]:
        """Spectral norm caps every layer, so that the product of the slopes is far below 1: its authors say not to combine."""
        places = [use.path for use in facts.find("weight_norm", under="discriminator") if use.name == "spectral"]
        if places:
            yield (
                f"the Wasserstein loss does not train a discriminator under spectral norm ({', '.join(places)}); use "
                'loss "hinge", or weight_norm "none" for the discriminator and the penalty "gradient_penalty"'
            )
