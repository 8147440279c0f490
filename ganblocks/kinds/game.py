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
    """One player, one microbatch: all that a loss term or a penalty may know."""

    player: Player
    """Whose turn it is, and whose objective a penalty joins."""
    images_seen: int
    """Real images that the discriminator has seen before."""
    latent: Tensor
    """[B, Z]: what the fakes were made from."""
    rng: torch.Generator
    """CPU generator, seeded by the batch: what a penalty draws its random numbers from, so that a turn can be repeated.
    (Torch's global random numbers are seeded by the batch as well: dropout is free to use them.)"""
    real: View | None
    """Real images and their score; None in a generator's turn whose loss does not read real images."""
    fake: View
    """Made images and their score; in the generator's turn with a graph through the generator."""

    @property
    def network(self) -> nn.Module:
        """The network of the player whose turn it is."""
        ...

    def discriminate(self, image: Tensor, label: Tensor | None, augmented: bool = True) -> Score:
        """Another forward of the discriminator; leaves every buffer unchanged. ``augmented``: through the recipe's augment."""
        ...

    def generate(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Another forward of the generator; leaves every buffer unchanged."""
        ...


class Game(Protocol):
    """Two networks and their objectives."""

    networks: Mapping[Player, nn.Module]

    def objective(self, player: Player, batch: Batch, images_seen: int, through: Collection[Player]) -> Objective:
        """What ``player`` minimises on ``batch``, as a graph through the parameters of the players in ``through``.

        Repeatable: equal batches give equal values, and no buffer changes. That is the game's doing: it seeds torch's random
        numbers by ``batch.seed``, so that dropout and noise in a network are as good as anything else, and drop the same each
        time. For rules that need gradients of gradients or of the other player; the whole batch is one graph.
        """
        ...

    def backward(self, player: Player, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        """Set the gradients of ``player``'s parameters to those of its objective on ``batch``, and nobody else's.

        Gradients of before are replaced, not added to: ``zero_grad`` is not needed. Owns microbatches, autocast and the
        freezing of the other player. With ``observe`` this is a real turn: estimates advance before it, modules observe after
        it, statistics move. Without, every buffer stays as it is (an extrapolation). ``images_seen`` is what schedules of
        penalties are read at.

        Returns what is worth recording, 0-dim and without a graph, such as ``generator/loss`` and ``discriminator/real``.
        """
        ...
