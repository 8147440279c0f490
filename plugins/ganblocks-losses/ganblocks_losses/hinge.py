"""The hinge loss, used by SAGAN."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import Tensor
from torch.nn.functional import relu


@frozen(kw_only=True)
class Hinge:
    """Push real logits above 1 and fake ones below -1, and no further; the generator raises fake logits.

    With r = D(x) and f = D(G(z)): L_D = E[max(0, 1 - r)] + E[max(0, 1 + f)] and L_G = -E[f]. At D = 0: 2 and 0.

    Use it with spectral norm, as SNGAN, SAGAN and BigGAN do: it is the default here. If nothing bounds the discriminator, it
    may separate the two sides completely, and the gradient vanishes; add ``r1`` then.

    Source: Lim and Ye (2017), "Geometric GAN", arXiv:1705.02894; SAGAN, arXiv:1805.08318, equation 4.
    """

    generator_reads_real: ClassVar[bool] = False

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[max(0, 1 - r)] + E[max(0, 1 + f)], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return -E[f], 0-dim, for logits r = ``real`` and f = ``fake`` [B]."""
        return -fake.mean()
