"""Latent consistency regularisation: near latents make different images that the discriminator judges alike."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Player, Turn, option
from ganblocks_penalties.slope import add_noise


@frozen(kw_only=True)
class LatentConsistency:
    """zCR: the discriminator must score images of nearby latents alike, and the generator must make them differ.

    R_D = λ_dis E[(D(G(z)) - D(G(z + δ)))²] and R_G = -λ_gen E[(G(z) - G(z + δ))²], δ ~ N(0, noise² I), with a mean over pixels
    in R_G. Labels are kept. The recipe's ``weight`` is a factor of both. It costs one generator forward in each turn, and one
    discriminator forward in the discriminator's.

    Use it beside ``balanced_consistency``, against a generator that ignores part of its latent. Only the range of the images
    bounds R_G below: if samples become noisy, lower ``generator`` or ``noise``.

    Source: Zhao et al. (2021), "Improved Consistency Regularization for GANs", arXiv:2002.04724. It writes R_G as a squared
    norm, literally a sum over pixels; the mean does not depend on the image's size. λ_dis and the noise are those of
    re-implementations for small networks; PyTorch-StudioGAN has 20 and 0.05 for BigGAN on CIFAR-10, and λ_gen = 0.5 as here.

    Options:
        noise: standard deviation of δ; latents have 1.
        discriminator: λ_dis.
        generator: λ_gen.
    """

    players: ClassVar[frozenset[Player]] = frozenset(Player)
    reads_image_gradient: ClassVar[bool] = False

    noise: float = option(0.03, above=0)
    discriminator: float = option(5.0, low=0)
    generator: float = option(0.5, low=0)

    def build(self) -> nn.Module:
        """Return the penalty's module: turn -> 0-dim."""
        return Neighbours(self)


class Neighbours(nn.Module):
    """forward(turn) -> the player's term for the turn's fakes and those of nearby latents."""

    def __init__(self, options: LatentConsistency) -> None:
        super().__init__()
        self.options = options

    def forward(self, turn: Turn) -> Tensor:
        """Return the term of the player whose turn it is, 0-dim."""
        image, label = turn.fake.image, turn.fake.label
        neighbour = turn.generate(add_noise(turn.latent, self.options.noise, turn.rng), label)
        if turn.player is Player.GENERATOR:
            return -self.options.generator * (image - neighbour).square().mean()
        difference = turn.fake.score.logits - turn.discriminate(neighbour, label).logits
        return self.options.discriminator * difference.square().mean()
