"""Update rule: which player is updated when, and by which optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ganblocks.kinds.game import Game
    from ganblocks.values import Batch, Metrics, Player

NextBatch = Callable[["Player"], "Batch"]
"""next_batch(player) -> a new Batch for that player's turn; a rule calls it once per turn.

Images drawn for the discriminator count as images seen, which is the clock of every schedule; those drawn for the generator do
not. A rule in which both players use one batch draws it for the discriminator.
"""


class Updater(Protocol):
    """A started rule: it owns the optimizers and the order of turns."""

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """Run one iteration: one or more turns of each player.

        A turn is: draw a batch with ``next_batch(player)``; compute that player's gradients with ``game.backward``, or
        differentiate ``game.objective`` and write ``.grad``; step with ``guarded_step(optimizer, settings)``, where
        ``settings`` is ``component.settings(images_seen)`` of the optimizer's component.

        Args:
            next_batch: returns a new batch for a player.
            images_seen: real images that the discriminator had seen before this iteration.

        Returns:
            Names -> 0-dim tensors without a graph: what ``backward`` and ``guarded_step`` report, under the player's name,
            such as ``generator/loss`` and ``generator/gradient_norm``. They stay on the device; the loop reads them once.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state, optimizers included: tensors, numbers, strings, None, and lists and dictionaries of them.

        Checkpoints store it without pickle.
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` of an equal rule returned, on any device; training then continues bit for bit."""
        ...


class UpdateRule(Protocol):
    """A component whose options are optimizers, counts and schedules."""

    def start(self, game: Game) -> Updater:
        """Create the optimizers of ``game.networks[player].parameters()`` for each player, without a step."""
        ...
