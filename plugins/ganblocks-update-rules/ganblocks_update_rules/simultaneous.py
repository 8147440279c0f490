"""Simultaneous gradient descent: both gradients are computed before either player steps."""

from __future__ import annotations

from attrs import define, frozen

from ganblocks import Batch, Game, Metrics, NextBatch, Player
from ganblocks_update_rules.player_optimizer import PairUpdater, TwoOptimizers

TURNS = (Player.DISCRIMINATOR, Player.GENERATOR)


@frozen(kw_only=True)
class Simultaneous(TwoOptimizers):
    """Simultaneous descent: both gradients are taken at the same point and on the same batch, before either player steps.

    φ ← φ − η_D ∇_φ L_D(φ, θ)  and  θ ← θ − η_G ∇_θ L_G(φ, θ), with the old φ and θ in both.

    Use it as the control of the rules that extend it ("extragradient", "optimistic", "consensus"). To train, use "alternating":
    on the bilinear game simultaneous descent spirals away from the solution.

    Source: Mescheder et al. (2017), "The Numerics of GANs", arXiv:1705.10461.

    Options:
        generator, discriminator: each player's optimizer.
    """

    def start(self, game: Game) -> SimultaneousUpdater:
        """Return the updater of ``game``."""
        return SimultaneousUpdater(game, self.start_players(game))


@define(eq=False)
class SimultaneousUpdater(PairUpdater):
    """Computes both gradients, then steps both players; other rules build on these two parts."""

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """Run one iteration on one batch."""
        return self.backward(next_batch(Player.DISCRIMINATOR), images_seen) | self.step_both(images_seen)

    def backward(self, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        """Set both players' gradients at the current weights. Without ``observe`` no buffer changes and no turn is counted."""
        metrics: Metrics = {}
        for player in TURNS:
            metrics |= self.game.backward(player, batch, images_seen, observe)
        return metrics

    def step_both(self, images_seen: int) -> Metrics:
        """Step each player's optimizer along the current gradients."""
        metrics: Metrics = {}
        for player in TURNS:
            metrics |= self.players[player].step(images_seen)
        return metrics
