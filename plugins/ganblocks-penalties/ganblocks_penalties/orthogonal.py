"""BigGAN's orthogonal regularisation: the rows of every weight are pulled towards right angles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Player, Turn, full_precision, option

PLAYERS = {
    "generator": frozenset({Player.GENERATOR}),
    "discriminator": frozenset({Player.DISCRIMINATOR}),
    "both": frozenset(Player),
}
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@frozen(kw_only=True)
class Orthogonal:
    """Pull the rows of each weight towards right angles, whatever their lengths.

    R = Σ ‖W Wᵀ ⊙ (1 - I)‖² (Frobenius) over the player's weights, each as a matrix (outputs, all other dimensions). A weight is
    a layer's parameter of that name with two or more dimensions: biases, gains and class tables of norms do not count. The
    recipe's ``weight`` is the paper's β (1e-4 there). BigGAN's published code adds half of this gradient: 5e-5 here is 1e-4
    there.

    Where a weight norm wraps the layer, W is the parameter below it, as in BigGAN's code. R is of degree 4 in W, so it also
    shrinks a parameter whose scale spectral norm removes again; this changes the effective learning rate.

    Use it with a generator whose latents are to be truncated: it makes large models tolerate that (60 % of the paper's with it,
    16 % without). It costs no forward, but a matrix product per weight in every step of the player.

    Source: Brock et al. (2019), "Large Scale GAN Training for High Fidelity Natural Image Synthesis", arXiv:1809.11096,
    which writes WᵀW; with the diagonal, Brock et al. (2017), arXiv:1609.07093.

    Options:
        of: whose weights, in whose objective: "generator" (BigGAN), "discriminator" or "both", each in its own.
        embeddings: whether embedding tables count; BigGAN leaves the generator's out.
    """

    reads_image_gradient: ClassVar[bool] = False

    of: Literal["generator", "discriminator", "both"] = option("generator")
    embeddings: bool = option(False)

    @property
    def players(self) -> frozenset[Player]:
        """The players whose objective it joins."""
        return PLAYERS[self.of]

    def build(self) -> nn.Module:
        """Return the penalty's module: turn -> 0-dim."""
        return RowsAtRightAngles(self.embeddings)


class RowsAtRightAngles(nn.Module):
    """forward(turn) -> Σ ‖W Wᵀ ⊙ (1 - I)‖² over the weights of the network whose turn it is."""

    def __init__(self, embeddings: bool) -> None:
        super().__init__()
        self.embeddings = embeddings

    def forward(self, turn: Turn) -> Tensor:
        """Return the penalty, 0-dim."""
        start = torch.zeros((), device=turn.fake.image.device)
        return sum((off_diagonal(matrix) for matrix in matrices(turn.network, self.embeddings)), start=start)


def matrices(network: nn.Module, embeddings: bool = False) -> Iterator[Tensor]:
    """Yield the weights of a network's layers, below any weight norm, as matrices [N, M] for N outputs, one per group."""
    for layer in network.modules():
        weight = dict(layer.named_parameters(recurse=False)).get("weight")
        if weight is None or weight.ndim < 2 or (isinstance(layer, nn.Embedding) and not embeddings):
            continue
        grouped = weight.reshape(getattr(layer, "groups", 1), -1, *weight.shape[1:])  # groups read different inputs
        yield from (grouped.transpose(1, 2) if isinstance(layer, TRANSPOSED) else grouped).flatten(2)


def off_diagonal(matrix: Tensor) -> Tensor:
    """Return ‖W Wᵀ ⊙ (1 - I)‖², 0-dim and in float32 at least, for W [n, m].

    If n > m, the n×n product, gigabytes for BigGAN's first layer, is avoided: ‖W Wᵀ‖ = ‖Wᵀ W‖, from which the diagonal is
    subtracted. Otherwise that difference would be lost to rounding near 0.
    """
    w = full_precision(matrix)
    if len(w) > w.shape[1]:
        return (w.mT @ w).square().sum() - w.square().sum(1).square().sum()
    gram = w @ w.mT
    return gram.masked_fill(torch.eye(len(w), dtype=torch.bool, device=w.device), 0).square().sum()
