"""Update rule: who moves, when, and how far."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ganblocks.kinds.game import Game
    from ganblocks.values import Batch, Metrics, Player

NextBatch = Callable[["Player"], "Batch"]
"""A fresh batch for that player's turn. What the discriminator draws counts as images seen."""


class Updater(Protocol):
    """A started rule: owns the optimizers and the order of turns."""

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """One iteration. Optimizers step only through ``ganblocks.guarded_step``."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rule remembers, optimizers included: tensors and plain values, by name."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class UpdateRule(Protocol):
    """The component: its options are optimizers, counts and schedules."""

    def start(self, game: Game) -> Updater: ...
