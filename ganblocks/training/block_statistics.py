"""Numbers of the blocks for the log: the effect of each on its input, and what its attention map does."""

from __future__ import annotations

import math
import warnings

from torch import Tensor

from ganblocks.assembly import Session
from ganblocks.seeding import seeded
from ganblocks.training.block_records import AT_ONCE, BlockRecord, examine, image_of
from ganblocks.training.examples import Examples
from ganblocks.training.measuring import measured
from ganblocks.training.statistics import as_numbers
from ganblocks.values import Player


class BlockStatistics:
    """Examines the blocks of the live networks in evaluation mode, on the same 16 inputs each time, fewer where maps are
    large. Training is not disturbed.

    A block of a plugin that fails here is a warning, and no block is examined any more.
    """

    def __init__(self, session: Session) -> None:
        self._game, self._session = session.game, session
        self._examples: Examples | None = None
        self._failed = False

    def __call__(self) -> dict[str, float]:
        """Return ``NUMBER/PATH`` -> the mean over the inputs, where it is finite."""
        if self._failed:
            return {}
        try:
            numbers = as_numbers({name: value for player in Player for name, value in self._of(player).items()})
        except Exception as error:
            self._failed = True
            warnings.warn(f"blocks cannot be examined: {type(error).__name__}: {error}; training continues", stacklevel=3)
            return {}
        return {name: value for name, value in numbers.items() if math.isfinite(value)}

    def _of(self, player: Player) -> dict[str, Tensor]:
        self._examples = self._examples or Examples.of(self._session)
        network, inputs = self._game.networks[player], self._examples.measured(player)
        with seeded(0), self._game.autocast():
            return examine(str(player), network, inputs, lambda records, output: _numbers(records, image_of(inputs, output)))


def _numbers(records: list[BlockRecord], image: Tensor) -> dict[str, Tensor]:
    numbers = {}
    for record in records:
        numbers[f"effect/{record.path}"] = record.change
        if record.has_map:
            positions = record.queries[0] * record.queries[1]
            values, _ = measured(record, image, images=max(2, AT_ONCE // positions**2))
            numbers |= {f"{name}/{record.path}": value.nanmean() for name, value in values.items()}
    return numbers
