"""Lookahead: after some iterations of another rule, both players are interpolated back towards their start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from attrs import define, field, frozen

from ganblocks import Checked, Facts, Game, Metrics, NextBatch, Updater, UpdateRule, option, socket
from ganblocks_update_rules.weights import Weights, copied, parameters_of, restored


@frozen(kw_only=True)
class Lookahead(Checked):
    """Lookahead-minmax: after every k iterations of another rule, move both players back towards where these started.

    w̃ ← w̃ + α (w − w̃)  and  w ← w̃, where w = (φ, θ) are the weights in use and w̃ the slow ones, at first equal.

    Both players move back at once, which turns rotation into convergence: an eigenvalue λ of the inner rule becomes
    1 − α + α λᵏ per k iterations. Moments and buffers are not changed.

    Use it around any rule whose players circle each other, or whose iterates are noisy: it costs one copy of the weights and no
    gradient. A lookahead of a lookahead is the paper's nested one.

    Source: Chavdarova et al. (2021), "Taming GANs with Lookahead-Minmax", arXiv:2006.14567, whose code has k = 5 and α = 0.5
    too; for one player, Zhang et al. (2019), "Lookahead Optimizer: k steps forward, 1 step back", arXiv:1907.08610.

    Options:
        rule: the inner update rule.
        steps: k, iterations of the inner rule between two steps back.
        alpha: α, share of the k iterations' movement that is kept.
    """

    rule: UpdateRule = socket("update_rule", default="alternating")
    steps: int = option(5, low=1)
    alpha: float = option(0.5, above=0, high=1)

    def start(self, game: Game) -> LookaheadUpdater:
        """Return the updater of ``game``."""
        return LookaheadUpdater(game, self.rule.start(game), self.steps, self.alpha)

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain about options that make this the inner rule, and about nested lookaheads out of phase."""
        if self.alpha == 1:
            yield "with alpha 1 nothing steps back; give update.alpha a share below 1 (0.5), or use the inner rule alone"
        elif self.steps == 1:
            yield (
                f"with steps 1 this is the inner rule at {self.alpha:g} times its rates; give update.steps at least 2, "
                "or use the inner rule alone, at lower rates"
            )
        if isinstance(self.rule, Lookahead) and self.steps % self.rule.steps:
            yield (
                f"steps {self.steps} is no multiple of the inner lookahead's {self.rule.steps}, so that the outer one would "
                "interrupt the inner one's iterations; give update.steps a multiple of update.rule.steps"
            )


@define(eq=False)
class LookaheadUpdater:
    """Keeps the slow weights and counts iterations."""

    game: Game
    rule: Updater
    steps: int
    alpha: float
    iterations: int = field(init=False, default=0)
    slow: Weights = field(init=False, factory=dict)
    """Both players' weights when the current k iterations began; empty before the first."""

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """Run one iteration of the inner rule, and step back after every ``steps``."""
        if self.iterations % self.steps == 0:  # not earlier: an outer lookahead or --init-from may have changed the weights
            self.slow = copied(self.game)
        metrics = self.rule.step(next_batch, images_seen)
        self.iterations += 1
        if self.iterations % self.steps == 0:
            self._step_back()
        return metrics

    @torch.no_grad()
    def _step_back(self) -> None:
        for name, parameter in parameters_of(self.game).items():
            parameter.copy_(self.slow[name].lerp(parameter, self.alpha))

    def state_dict(self) -> dict[str, Any]:
        """Return the inner rule's state, the number of iterations and the slow weights."""
        return {"rule": self.rule.state_dict(), "iterations": self.iterations, "slow": self.slow}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned. Raise CheckpointError if it belongs to another network."""
        self.rule.load_state_dict(state["rule"])
        self.iterations, self.slow = state["iterations"], restored(state["slow"], self.game)
