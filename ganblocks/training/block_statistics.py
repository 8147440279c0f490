"""Numbers of the blocks for the log: the effect of each on its input, and what its attention map does."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

from torch import Tensor

from ganblocks.assembly import Session
from ganblocks.seeding import seeded
from ganblocks.training.block_records import BlockRecord, record_blocks
from ganblocks.training.examples import Examples
from ganblocks.training.gates import image_of
from ganblocks.training.map_numbers import measure
from ganblocks.training.statistics import as_numbers
from ganblocks.values import Player


class BlockStatistics:
    """Examines the blocks of the live networks in evaluation mode, on the same 16 inputs each time. Training is not disturbed.

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
            numbers = as_numbers({name: value for player in Player for name, value in self._of(player)})
        except Exception as error:
            self._failed = True
            warnings.warn(f"blocks cannot be examined: {type(error).__name__}: {error}; training continues", stacklevel=3)
            return {}
        return {name: value for name, value in numbers.items() if math.isfinite(value)}

    def _of(self, player: Player) -> Iterator[tuple[str, Tensor]]:
        self._examples = self._examples or Examples.of(self._session)
        network, inputs = self._game.networks[player], self._examples.measured(player)
        with seeded(0), self._game.autocast():
            records, output = record_blocks(str(player), network, *inputs)
        image = image_of(inputs[0], output)
        for record in records:
            yield f"effect/{record.path}", record.change
            yield from _of_map(record, image)


def _of_map(record: BlockRecord, image: Tensor) -> Iterator[tuple[str, Tensor]]:
    if record.attention is not None and record.attention.shape[-1] > 1:
        for name, values in measure(record.attention, record.queries, record.keys, image).items():
            yield f"{name}/{record.path}", values.nanmean()
