"""The extragradient method: both players try a step, look from there, and take that look's step from where they stood."""

from __future__ import annotations

from typing import Literal

from attrs import define, frozen

from ganblocks import Game, Metrics, NextBatch, Optimizer, Player, option, socket
from ganblocks_update_rules.player_optimizer import start_both
from ganblocks_update_rules.simultaneous import SimultaneousUpdater
from ganblocks_update_rules.weights import copied, put_back

Sampling = Literal["fresh_batch", "same_batch"]


@frozen(kw_only=True)
class Extragradient:
    """Extragradient: both players step along the gradient that they would see after a step.

    w_{t+½} = w_t − η F(w_t)  and  w_{t+1} = w_t − η F(w_{t+½}), where w = (φ, θ) and F = (∇_φ L_D, ∇_θ L_G).

    Any optimizer takes the place of η: it steps twice, both times from w_t, and its moments see both gradients, so that Adam
    makes it Extra-Adam. The extrapolation is no turn: no buffer moves, nothing observes, no turn is counted.

    Use it where the players circle each other: on the bilinear game it converges and plain descent does not. An iteration costs
    two gradients of each player, so compare it with other rules at equal time, not at equal iterations.

    Source: Korpelevich (1976), "The extragradient method for finding saddle points and other problems", Matecon 12, 747-756;
    Gidel et al. (2019), "A Variational Inequality Perspective on Generative Adversarial Networks", arXiv:1802.10551,
    section 3.2 and algorithm 4 (option 1). Same batch: Mishchenko et al. (2020), "Revisiting Stochastic Extragradient",
    arXiv:1905.11373.

    Options:
        generator, discriminator: each player's optimizer.
        sampling: what w_{t+½} is judged on. ``fresh_batch``, as Gidel et al. do: two batches, which both count as images seen,
            so that a training of as many images has half as many iterations. ``same_batch``: the batch of the extrapolation
            again, which converges on noisy bilinear games where independent batches need not.
    """

    generator: Optimizer = socket("optimizer", default="adam")
    discriminator: Optimizer = socket("optimizer", default="adam")
    sampling: Sampling = option("fresh_batch")

    def start(self, game: Game) -> ExtragradientUpdater:
        return ExtragradientUpdater(game, start_both(game, self.generator, self.discriminator), self.sampling)


@define(eq=False)
class ExtragradientUpdater(SimultaneousUpdater):
    """Remembers nothing between iterations but its optimizers."""

    sampling: Sampling

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """Losses are those at w_{t+½}; the gradient norms of the extrapolation stand under ``extrapolation/``."""
        here, batch = copied(self.game), next_batch(Player.DISCRIMINATOR)
        self.extract_features(batch, images_seen, observe=False)
        extrapolation = self.move(images_seen)
        if self.sampling == "fresh_batch":
            batch = next_batch(Player.DISCRIMINATOR)
        metrics = self.extract_features(batch, images_seen)
        put_back(self.game, here)
        metrics |= self.move(images_seen)
        return metrics | {f"extrapolation/{name}": value for name, value in extrapolation.items()}
