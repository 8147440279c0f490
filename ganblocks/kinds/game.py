"""The contract between a game and the update rules and penalties that play it. ``ganblocks.game`` implements it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ganblocks.values import (
        Batch,
        Metrics,
        Objective,
        Player,
        Score,
        View,
    )


class Turn(Protocol):
    """One turn of one player on one microbatch: all that a loss term or a penalty can use."""

    player: Player
    """The player whose objective is computed."""
    images_seen: int
    """Real images that the discriminator has seen so far."""
    latent: Tensor
    """[B, Z]: the latents of the fakes."""
    rng: torch.Generator
    """CPU generator, seeded by the batch, for the random numbers of penalties: a turn is repeatable. (Torch's global generator
    is seeded by the batch too, for dropout.)"""
    real: View | None
    """Real images and their score; None in a generator's turn whose loss does not read real images."""
    fake: View
    """Generated images and their score; in the generator's turn with a graph through the generator."""

    @property
    def network(self) -> nn.Module:
        """The network of the player whose turn it is."""
        ...

    def discriminate(self, image: Tensor, label: Tensor | None, augmented: bool = True) -> Score:
        """Score images [B, C, H, W] with labels int64 [B], after the recipe's augment if ``augmented``; no buffer changes."""
        ...

    def generate(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Generate images [B, C, H, W] from latents [B, Z] and labels int64 [B]; no buffer changes."""
        ...


class Game(Protocol):
    """Two networks and their objectives."""

    networks: Mapping[Player, nn.Module]

    def objective(self, player: Player, batch: Batch, images_seen: int, through: Collection[Player]) -> Objective:
        """Return the objective of ``player`` on ``batch``, with a graph through the players in ``through``.

        For rules that need gradients of gradients or of the other player. The whole batch is one graph. Equal batches give
        equal values, dropout and noise included, because the game seeds torch's random numbers with ``batch.seed``; no buffer
        changes.
        """
        ...

    def backward(self, player: Player, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        """Set the gradients of ``player``'s parameters to those of its objective on ``batch``.

        Earlier gradients are replaced: ``zero_grad`` is not needed. This owns microbatches, autocast and the freezing of the
        other player. With ``observe``, estimates advance before the turn, modules observe after it, and batch statistics are
        updated; without, every buffer stays as it is (an extrapolation). Schedules of penalties are evaluated at
        ``images_seen``.

        Returns metrics, 0-dim and without a graph, such as ``generator/loss`` and ``discriminator/real``.
        """
        ...
