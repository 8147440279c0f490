"""Optimizer: one of torch's, with rates that may move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import nn


class Optimizer(Protocol):
    """Starts a torch optimizer, and says what its settings are at each moment."""

    def start(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer: ...

    def settings(self, images_seen: int) -> dict[str, Any]:
        """Values for every parameter group now, such as ``{"lr": 1e-4}``; always with ``lr``, so that a rule can scale it."""
        ...
