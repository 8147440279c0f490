"""Latent consistency regularisation: near latents make different images that the discriminator judges alike."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Player, Turn, option


@frozen(kw_only=True)
class LatentConsistency:
    """zCR: the discriminator says the same of images from near latents, and the generator makes such images differ.

    R_D = λ_dis E[(D(G(z)) - D(G(z + δ)))²] and R_G = -λ_gen E[(G(z) - G(z + δ))²], δ ~ N(0, noise² I), with a mean over pixels
    in R_G. Labels stay. The recipe's ``weight`` is a factor on both. It costs one forward of the generator in each turn, and
    one of the discriminator in its own.

    Use it beside ``balanced_consistency``, against a generator that ignores part of its latent. R_G is not bounded below by
    anything but the range of the images: where samples turn noisy, lower ``generator`` or ``noise``.

    Source: Zhao et al. (2021), "Improved Consistency Regularization for GANs", arXiv:2002.04724. It writes R_G as a squared
    norm, a sum over pixels if read literally; the mean does not depend on the image's size. λ_dis and the noise are those of
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
        return Neighbours(self)


class Neighbours(nn.Module):
    """forward(turn) -> what the turn's player adds to its objective for fakes and those from latents nearby."""

    def __init__(self, options: LatentConsistency) -> None:
        super().__init__()
        self.options = options

    def forward(self, turn: Turn) -> Tensor:
        image, label = turn.fake.image, turn.fake.label
        neighbour = turn.generate(nearby(turn.latent, self.options.noise, turn.rng), label)
        if turn.player is Player.GENERATOR:
            return -self.options.generator * (image - neighbour).square().mean()
        moved = turn.fake.score.logits - turn.discriminate(neighbour, label).logits
        return self.options.discriminator * moved.square().mean()


def nearby(latent: Tensor, noise: float, rng: torch.Generator) -> Tensor:
    """latent [B, Z] plus normal noise of that standard deviation."""
    normal = torch.randn(latent.shape, generator=rng, device="cpu")
    return latent + noise * normal.to(latent, non_blocking=True)
