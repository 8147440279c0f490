"""Alternating gradient descent: the players move in turn, each after looking at where the other has just gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from attrs import define, frozen
from torch import Tensor

from ganblocks import Constant, Game, Metrics, Moving, NextBatch, Optimizer, Player, option, socket
from ganblocks_update_rules.player_optimizer import PairUpdater, start_both

Order = Literal["discriminator_first", "generator_first"]


@frozen(kw_only=True)
class Alternating:
    """Alternating descent: ``discriminator_steps`` steps of the discriminator and one of the generator, each on a fresh batch.

    φ ← φ − η_D ∇_φ L_D(φ, θ), so many times; then θ ← θ − η_G ∇_θ L_G(φ, θ) with the new φ.

    Use it as the default: it is cheap, what most GANs were published with, and steadier than "simultaneous". Several steps of
    the discriminator suit losses that need it near its best (Wasserstein with a gradient penalty: 5); for rates that differ by
    player, "ttur" says so and checks it.

    Source: Goodfellow et al. (2014), "Generative Adversarial Networks", arXiv:1406.2661, algorithm 1.

    Options:
        generator, discriminator: each player's optimizer.
        discriminator_steps: steps of the discriminator for each one of the generator.
        order: who moves first in an iteration. SAGAN's published code moves the generator first, BigGAN's the discriminator.
    """

    generator: Optimizer = socket("optimizer", default="adam")
    discriminator: Optimizer = socket("optimizer", default="adam")
    discriminator_steps: int = option(1, low=1)
    order: Order = option("discriminator_first")

    def start(self, game: Game) -> AlternatingUpdater:
        return self._start(game, rate_factor=Constant(1.0))

    def _start(self, game: Game, rate_factor: Moving) -> AlternatingUpdater:
        turns = [Player.DISCRIMINATOR] * self.discriminator_steps + [Player.GENERATOR]
        if self.order == "generator_first":
            turns.reverse()
        return AlternatingUpdater(game, start_both(game, self.generator, self.discriminator), turns, rate_factor)


@define(eq=False)
class AlternatingUpdater(PairUpdater):
    """Takes ``turns`` in order, in every iteration."""

    turns: Sequence[Player]
    rate_factor: Moving

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """One iteration; where a player moves several times, its metrics are means over its turns.

        Both players' rates are read at the same moment, the iteration's start, so that their ratio cannot wobble within it.
        """
        return _means([self._turn(player, next_batch, images_seen) for player in self.turns])

    def _turn(self, player: Player, next_batch: NextBatch, images_seen: int) -> Metrics:
        metrics = self.game.backward(player, next_batch(player), images_seen)
        return metrics | self.players[player].step(images_seen, self.rate_factor.at(images_seen))


def _means(turns: Sequence[Metrics]) -> Metrics:
    """The mean of every name over the turns that report it: a value that is not finite in any of them stays visible."""
    reports: dict[str, list[Tensor]] = {}
    for turn in turns:
        for name, value in turn.items():
            reports.setdefault(name, []).append(value)
    return {name: torch.stack(values).mean() if len(values) > 1 else values[0] for name, values in reports.items()}
