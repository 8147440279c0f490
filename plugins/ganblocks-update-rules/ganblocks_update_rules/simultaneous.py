"""Simultaneous gradient descent: both players look first, then both move."""

from __future__ import annotations

from attrs import define, frozen

from ganblocks import Batch, Game, Metrics, NextBatch, Optimizer, Player, socket
from ganblocks_update_rules.player_optimizer import PairUpdater, start_both

TURNS = (Player.DISCRIMINATOR, Player.GENERATOR)


@frozen(kw_only=True)
class Simultaneous:
    """Simultaneous descent: both gradients are taken at the same point and on the same batch, before either player moves.

    φ ← φ − η_D ∇_φ L_D(φ, θ)  and  θ ← θ − η_G ∇_θ L_G(φ, θ), with the old φ and θ in both.

    Use it as the plain control of the rules that look at one point ("extragradient", "optimistic", "consensus"). To train, use
    "alternating": on the bilinear game simultaneous descent spirals away from the solution.

    Source: Mescheder et al. (2017), "The Numerics of GANs", arXiv:1705.10461.

    Options:
        generator, discriminator: each player's optimizer.
    """

    generator: Optimizer = socket("optimizer", default="adam")
    discriminator: Optimizer = socket("optimizer", default="adam")

    def start(self, game: Game) -> SimultaneousUpdater:
        return SimultaneousUpdater(game, start_both(game, self.generator, self.discriminator))


@define(eq=False)
class SimultaneousUpdater(PairUpdater):
    """Both gradients, then both steps; rules that look at one point put something between the two, or around them."""

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        return self.extract_features(next_batch(Player.DISCRIMINATOR), images_seen) | self.move(images_seen)

    def extract_features(self, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        """Set both players' gradients at the point where they stand. Without ``observe`` it is no turn, and no buffer moves."""
        metrics: Metrics = {}
        for player in TURNS:
            metrics |= self.game.backward(player, batch, images_seen, observe)
        return metrics

    def move(self, images_seen: int) -> Metrics:
        """One step of each player's optimizer, along the gradients that were set."""
        metrics: Metrics = {}
        for player in TURNS:
            metrics |= self.players[player].step(images_seen)
        return metrics
