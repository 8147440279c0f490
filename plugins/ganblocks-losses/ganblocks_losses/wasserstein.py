"""The Wasserstein loss (WGAN)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from attrs import frozen
from torch import Tensor

from ganblocks import Checked, Facts


@frozen(kw_only=True)
class Wasserstein(Checked):
    """Widen the gap between the critic's means on real and fake images; the generator raises the mean of fakes.

    With r = D(x) and f = D(G(z)): L_D = E[f] - E[r] and L_G = -E[f]. At D = 0: 0 and 0. It estimates a distance only while the
    critic's slope is held near 1, for example by ``gradient_penalty`` (WGAN-GP, with weight 10).

    Use it with ``gradient_penalty``, several critic steps per generator step, and no batch norm in the critic. Under spectral
    norm use ``hinge`` instead.

    Source: Arjovsky et al. (2017), "Wasserstein GAN", arXiv:1701.07875, equations 2 and 3; Gulrajani et al. (2017), "Improved
    Training of Wasserstein GANs", arXiv:1704.00028.
    """

    generator_reads_real: ClassVar[bool] = False

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[f] - E[r], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return fake.mean() - real.mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return -E[f], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return -fake.mean()

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain about spectral norm in the critic: it caps every layer, so that the slope of the whole is far below 1."""
        paths = [use.path for use in facts.find("weight_norm", under="discriminator") if use.name == "spectral"]
        if paths:
            yield (
                f"the Wasserstein loss does not train a discriminator under spectral norm ({', '.join(paths)}); use "
                'loss "hinge", or weight_norm "none" for the discriminator and the penalty "gradient_penalty"'
            )
