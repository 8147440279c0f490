"""Optimistic descent: each step takes for granted that the next gradient changes as the last one did."""

from __future__ import annotations

from typing import Any

import torch
from attrs import define, field, frozen

from ganblocks import Game, Metrics, NextBatch, Optimizer, Player, socket
from ganblocks_update_rules.player_optimizer import start_both
from ganblocks_update_rules.simultaneous import SimultaneousUpdater
from ganblocks_update_rules.weights import Weights, copied, parameters_of, restored


@frozen(kw_only=True)
class Optimistic:
    """Optimistic descent: twice the step of now, less the step of before, for both players at once.

    w_{t+1} = w_t + 2 u_t − u_{t−1}, where u_t is the step that the optimizer would take at t, and u_{−1} = 0. With plain
    descent u_t = −η_t g_t, so that w_{t+1} = w_t − 2η_t g_t + η_{t−1} g_{t−1}; with Adam it is Optimistic Adam.

    Use it where the players circle each other and a second gradient per iteration, as "extragradient" takes, is too dear: it
    costs a copy of the weights. It doubles the noise of each gradient, so where batches are small halve the rates that
    "simultaneous" would have.

    Source: Daskalakis et al. (2018), "Training GANs with Optimism", arXiv:1711.00141: its Optimistic Adam.

    Options:
        generator, discriminator: each player's optimizer.
    """

    generator: Optimizer = socket("optimizer", default="adam")
    discriminator: Optimizer = socket("optimizer", default="adam")

    def start(self, game: Game) -> OptimisticUpdater:
        return OptimisticUpdater(game, start_both(game, self.generator, self.discriminator))


@define(eq=False)
class OptimisticUpdater(SimultaneousUpdater):
    """Keeps the last step of every parameter; no step, before the first iteration."""

    last: Weights = field(init=False, factory=dict)

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        before = copied(self.game)
        metrics = self.extract_features(next_batch(Player.DISCRIMINATOR), images_seen) | self.move(images_seen)
        self._expect_as_much_again(before)
        return metrics

    @torch.no_grad()
    def _expect_as_much_again(self, before: Weights) -> None:
        """From w_t + u_t to w_t + 2 u_t − u_{t−1}."""
        steps = {name: parameter - before[name] for name, parameter in parameters_of(self.game).items()}
        for name, parameter in parameters_of(self.game).items():
            parameter.add_(steps[name] - self.last[name] if self.last else steps[name])
        self.last = steps

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"last": self.last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.last = restored(state["last"], self.game)
