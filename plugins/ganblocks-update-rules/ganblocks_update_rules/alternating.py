"""Alternating gradient descent: the players step in turn, each against the newest state of the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from attrs import define, frozen
from torch import Tensor

from ganblocks import Constant, Game, Metrics, Moving, NextBatch, Player, option
from ganblocks_update_rules.player_optimizer import PairUpdater, TwoOptimizers

Order = Literal["discriminator_first", "generator_first"]


@frozen(kw_only=True)
class Alternating(TwoOptimizers):
    """Alternating descent: ``discriminator_steps`` discriminator steps and one generator step, each on a fresh batch.

    φ ← φ − η_D ∇_φ L_D(φ, θ), ``discriminator_steps`` times; then θ ← θ − η_G ∇_θ L_G(φ, θ) with the new φ.

    Use it as the default: it is cheap, most GANs were published with it, and it is more stable than "simultaneous". Several
    discriminator steps suit losses that need it near its optimum (Wasserstein with a gradient penalty: 5); for rates that
    differ by player use "ttur", which checks their ratio.

    Source: Goodfellow et al. (2014), "Generative Adversarial Networks", arXiv:1406.2661, algorithm 1.

    Options:
        generator, discriminator: each player's optimizer.
        discriminator_steps: discriminator steps per generator step.
        order: who steps first in an iteration: the generator in SAGAN's published code, the discriminator in BigGAN's.
    """

    discriminator_steps: int = option(1, low=1)
    order: Order = option("discriminator_first")

    def start(self, game: Game) -> AlternatingUpdater:
        """Return the updater of ``game``."""
        return self._start(game, rate_factor=Constant(1.0))

    def _start(self, game: Game, rate_factor: Moving) -> AlternatingUpdater:
        turns = [Player.DISCRIMINATOR] * self.discriminator_steps + [Player.GENERATOR]
        if self.order == "generator_first":
            turns.reverse()
        return AlternatingUpdater(game, self.start_players(game), turns, rate_factor)


@define(eq=False)
class AlternatingUpdater(PairUpdater):
    """Runs ``turns`` in order, in every iteration."""

    turns: Sequence[Player]
    rate_factor: Moving

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """Run one iteration; the metrics of a player that steps several times are means over its turns.

        Both players' rates are read at the iteration's start, so that their ratio is constant within it.
        """
        return _means([self._turn(player, next_batch, images_seen) for player in self.turns])

    def _turn(self, player: Player, next_batch: NextBatch, images_seen: int) -> Metrics:
        metrics = self.game.backward(player, next_batch(player), images_seen)
        return metrics | self.players[player].step(images_seen, self.rate_factor.at(images_seen))


def _means(turns: Sequence[Metrics]) -> Metrics:
    """Return the mean of every metric over the turns that report it: non-finite values stay visible."""
    reports: dict[str, list[Tensor]] = {}
    for turn in turns:
        for name, value in turn.items():
            reports.setdefault(name, []).append(value)
    return {name: torch.stack(values).mean() if len(values) > 1 else values[0] for name, values in reports.items()}
