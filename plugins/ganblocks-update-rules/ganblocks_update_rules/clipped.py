"""Gradient clipping, as an optimizer around another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from attrs import frozen
from torch import nn

from ganblocks import Moving, Optimizer, option, socket


@frozen(kw_only=True)
class Clipped:
    """Another optimizer that sees no gradient longer than a bound: g ← g · min(1, norm / ‖g‖), over all parameters together.

    The direction stays. The gradient norm that a step reports is the one before clipping, and whatever is not finite is still
    stopped before it arrives here.

    Use it where a few batches have gradients many times as long as the others: with "sgd" or "rmsprop" with momentum, and with
    "adam" so that its running means are not spoilt for long. A bound that most steps reach only scales the rate.

    Source: Pascanu et al. (2013), "On the difficulty of training recurrent neural networks", arXiv:1211.5063, algorithm 1.

    Options:
        optimizer: what steps along the clipped gradient.
        norm: the largest Euclidean norm of a player's gradient.
    """

    optimizer: Optimizer = socket("optimizer", default="adam")
    norm: float = option(1.0, above=0)

    @property
    def rate(self) -> Moving:
        """The inner optimizer's, for rules that ask whether it moves."""
        rate: Moving = self.optimizer.rate  # type: ignore[attr-defined]  # absent where the inner one has none
        return rate

    def start(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer = self.optimizer.start(parameters)
        optimizer.register_step_pre_hook(self._clip)
        return optimizer

    def settings(self, images_seen: int) -> dict[str, Any]:
        return self.optimizer.settings(images_seen)

    def _clip(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        """Called by torch before each step, after the guard has read the norm."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.norm)
