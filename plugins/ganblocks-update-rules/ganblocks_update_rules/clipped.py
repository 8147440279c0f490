"""Gradient clipping, as an optimizer that wraps another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from attrs import frozen
from torch import nn

from ganblocks import Moving, Optimizer, option, socket


@frozen(kw_only=True)
class Clipped:
    """Clip the norm of a player's whole gradient before another optimizer uses it: g ← g · min(1, norm / ‖g‖).

    The direction is kept. A step reports the norm before clipping, and non-finite gradients are still stopped before clipping.

    Use it where the gradients of a few batches are many times as long as the others: with "sgd", with "rmsprop" with momentum,
    and with "adam", whose running means they would spoil for many steps. A bound that most steps reach only scales the rate.

    Source: Pascanu et al. (2013), "On the difficulty of training recurrent neural networks", arXiv:1211.5063, algorithm 1.

    Options:
        optimizer: the optimizer that uses the clipped gradient.
        norm: the largest Euclidean norm of a player's gradient.
    """

    optimizer: Optimizer = socket("optimizer", default="adam")
    norm: float = option(1.0, above=0)

    @property
    def rate(self) -> Moving:
        """The inner optimizer's rate, for rules that check whether it is a schedule."""
        rate: Moving = self.optimizer.rate  # type: ignore[attr-defined]  # absent where the inner one has none
        return rate

    def start(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the inner optimizer of ``parameters``, clipping before each step."""
        optimizer = self.optimizer.start(parameters)
        optimizer.register_step_pre_hook(self._clip)
        return optimizer

    def settings(self, images_seen: int) -> dict[str, Any]:
        """Return the inner optimizer's settings for the next step."""
        return self.optimizer.settings(images_seen)

    def _clip(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        """Clip the gradients; torch calls this before each step, after the norm has been recorded."""
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.norm)
