"""The extragradient method: both players step along the gradients at a point one step ahead."""

from __future__ import annotations

from typing import Literal

from attrs import define, frozen

from ganblocks import Game, Metrics, NextBatch, Player, option
from ganblocks_update_rules.player_optimizer import TwoOptimizers
from ganblocks_update_rules.simultaneous import SimultaneousUpdater
from ganblocks_update_rules.weights import copied, set_weights

Sampling = Literal["fresh_batch", "same_batch"]


@frozen(kw_only=True)
class Extragradient(TwoOptimizers):
    """Extragradient: both players step along the gradients that they would have after a step.

    w_{t+½} = w_t − η F(w_t)  and  w_{t+1} = w_t − η F(w_{t+½}), where w = (φ, θ) and F = (∇_φ L_D, ∇_θ L_G).

    Any optimizer replaces η: it steps twice, both times from w_t, and its moments include both gradients; with Adam this is
    Extra-Adam. The extrapolation is not a turn: no buffer changes, nothing observes it, and it is not counted.

    Use it where the players circle each other: on the bilinear game it converges, plain descent does not. An iteration costs
    two gradients of each player, so compare it with other rules at equal time, not at equal iterations.

    Source: Korpelevich (1976), "The extragradient method for finding saddle points and other problems", Matecon 12, 747-756;
    Gidel et al. (2019), "A Variational Inequality Perspective on Generative Adversarial Networks", arXiv:1802.10551,
    section 3.2 and algorithm 4 (option 1). Same batch: Mishchenko et al. (2020), "Revisiting Stochastic Extragradient",
    arXiv:1905.11373.

    Options:
        generator, discriminator: each player's optimizer.
        sampling: the batch for the gradient at w_{t+½}. ``fresh_batch``, as in Gidel et al.: a second batch; both count as
            images seen, so that training on the same number of images has half as many iterations. ``same_batch``: the batch
            of the extrapolation, which converges on noisy bilinear games where independent batches need not.
    """

    sampling: Sampling = option("fresh_batch")

    def start(self, game: Game) -> ExtragradientUpdater:
        """Return the updater of ``game``."""
        return ExtragradientUpdater(game, self.start_players(game), self.sampling)


@define(eq=False)
class ExtragradientUpdater(SimultaneousUpdater):
    """Has no state but its optimizers'."""

    sampling: Sampling

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """Run one iteration; losses are those at w_{t+½}, and ``extrapolation/`` has the extrapolation's gradient norms."""
        start, batch = copied(self.game), next_batch(Player.DISCRIMINATOR)
        self.backward(batch, images_seen, observe=False)
        extrapolation = self.step_both(images_seen)
        if self.sampling == "fresh_batch":
            batch = next_batch(Player.DISCRIMINATOR)
        metrics = self.backward(batch, images_seen)
        set_weights(self.game, start)
        metrics |= self.step_both(images_seen)
        return metrics | {f"extrapolation/{name}": value for name, value in extrapolation.items()}
