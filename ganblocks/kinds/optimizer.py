"""Optimizer: one of torch's, with rates that may follow a schedule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import nn


class Optimizer(Protocol):
    """Creates a torch optimizer, and computes its settings at each step."""

    def start(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return an optimizer of the parameters."""
        ...

    def settings(self, images_seen: int) -> dict[str, Any]:
        """Return the values of every parameter group now; always with ``lr``, so that a rule can scale it."""
        ...
