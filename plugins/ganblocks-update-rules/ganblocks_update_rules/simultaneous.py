"""Simultaneous gradient descent: both players look first, then both move."""

from __future__ import annotations

from attrs import define, frozen

from ganblocks import Game, Metrics, NextBatch, Optimizer, Player, socket
from ganblocks_update_rules.player_optimizer import PairUpdater, start_both


@frozen(kw_only=True)
class Simultaneous:
    """Simultaneous descent: both gradients are taken at the same point and on the same batch, before either player moves.

    φ ← φ − η_D ∇_φ L_D(φ, θ)  and  θ ← θ − η_G ∇_θ L_G(φ, θ), with the old φ and θ in both.

    Source: Mescheder et al. 2017, arXiv 1705.10461, algorithm 1.

    Options:
        generator, discriminator: each player's optimizer.
    """

    generator: Optimizer = socket("optimizer", default="adam")
    discriminator: Optimizer = socket("optimizer", default="adam")

    def start(self, game: Game) -> SimultaneousUpdater:
        return SimultaneousUpdater(game, start_both(game, self.generator, self.discriminator))


@define(eq=False)
class SimultaneousUpdater(PairUpdater):
    """Both gradients, then both steps."""

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        batch = next_batch(Player.DISCRIMINATOR)
        turns = (Player.DISCRIMINATOR, Player.GENERATOR)
        metrics: Metrics = {}
        for player in turns:
            metrics |= self.game.backward(player, batch, images_seen)
        for player in turns:
            metrics |= self.players[player].step(images_seen)
        return metrics
