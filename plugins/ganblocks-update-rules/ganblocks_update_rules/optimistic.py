"""Optimistic descent: each step assumes that the next gradient changes as the last one did."""

from __future__ import annotations

from typing import Any

import torch
from attrs import define, field, frozen

from ganblocks import Game, Metrics, NextBatch
from ganblocks_update_rules.player_optimizer import TwoOptimizers
from ganblocks_update_rules.simultaneous import SimultaneousUpdater
from ganblocks_update_rules.weights import Weights, copied, parameters_of, restored


@frozen(kw_only=True)
class Optimistic(TwoOptimizers):
    """Optimistic descent: twice the current step minus the previous one, for both players at once.

    w_{t+1} = w_t + 2 u_t − u_{t−1}, where u_t is the step that the optimizer would take at t, and u_{−1} = 0. With plain
    descent u_t = −η_t g_t, so that w_{t+1} = w_t − 2η_t g_t + η_{t−1} g_{t−1}; with Adam it is Optimistic Adam.

    Use it where the players circle each other and the second gradient per iteration of "extragradient" is too expensive: it
    costs a copy of the weights. It doubles the noise of each gradient, so with small batches halve the rates of "simultaneous".

    Source: Daskalakis et al. (2018), "Training GANs with Optimism", arXiv:1711.00141: its Optimistic Adam.

    Options:
        generator, discriminator: each player's optimizer.
    """

    def start(self, game: Game) -> OptimisticUpdater:
        """Return the updater of ``game``."""
        return OptimisticUpdater(game, self.start_players(game))


@define(eq=False)
class OptimisticUpdater(SimultaneousUpdater):
    """Keeps the last step of every parameter, none before the first iteration."""

    last: Weights = field(init=False, factory=dict)

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """Run one iteration on one batch."""
        before = copied(self.game)
        metrics = super().step(next_batch, images_seen)
        self._extrapolate(before)
        return metrics

    @torch.no_grad()
    def _extrapolate(self, before: Weights) -> None:
        """Move from w_t + u_t to w_t + 2 u_t − u_{t−1}."""
        steps = {name: parameter - before[name] for name, parameter in parameters_of(self.game).items()}
        for name, parameter in parameters_of(self.game).items():
            parameter.add_(steps[name] - self.last[name] if self.last else steps[name])
        self.last = steps

    def state_dict(self) -> dict[str, Any]:
        """Return both optimizers' state and the last steps."""
        return super().state_dict() | {"last": self.last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned. Raise CheckpointError if it belongs to another network or optimizer."""
        super().load_state_dict(state)
        self.last = restored(state["last"], self.game)
