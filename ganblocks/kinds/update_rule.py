"""Update rule: who moves, when, and how far."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ganblocks.kinds.game import Game
    from ganblocks.values import Batch, Metrics, Player

NextBatch = Callable[["Player"], "Batch"]
"""next_batch(player) -> a fresh Batch for that player's turn, each call another. A rule calls it once for each turn.

The images that it draws for the discriminator count as images seen, which is the clock of every schedule; those that it draws
for the generator do not. A rule in which both players look at one batch draws it for the discriminator, and hands it to both.
"""


class Updater(Protocol):
    """A started rule: owns the optimizers and the order of turns."""

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """One iteration: a turn of each player, or several.

        A turn is: draw a batch with ``next_batch(player)``; ask the game for that player's gradients with ``game.backward``,
        or take them of ``game.objective`` and write them into ``.grad``; step with ``guarded_step(optimizer, settings)``,
        where ``settings`` is ``component.settings(images_seen)`` of the optimizer's component.

        Args:
            next_batch: gives a fresh batch for a player.
            images_seen: real images that the discriminator had seen before this iteration.

        Returns:
            Names -> 0-dim tensors without a graph: what ``backward`` and ``guarded_step`` report, under the player's name,
            such as ``generator/loss`` and ``generator/gradient_norm``. They stay on the device; the loop reads them once.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rule remembers, optimizers included, by name: tensors, numbers, strings, None, and lists and
        dictionaries of them. It goes into a checkpoint without pickle.
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` of an equal rule returned, tensors on whatever device. The next step is then bit for
        bit the one that would have followed there.
        """
        ...


class UpdateRule(Protocol):
    """The component: its options are optimizers, counts and schedules."""

    def start(self, game: Game) -> Updater:
        """Make the optimizers over ``game.networks[player].parameters()`` of each player. Nothing moves yet."""
        ...
