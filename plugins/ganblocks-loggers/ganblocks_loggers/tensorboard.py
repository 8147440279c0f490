"""TensorBoard: event files in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

import ganblocks
from ganblocks_loggers.library import library

SOON = 10
"""Seconds until what was logged is on the disk."""


class Events:
    """Writes event files. Those of a resumed run declare later events of the files before them void."""

    def __init__(self, run: ganblocks.LoggedRun) -> None:
        self._summary = library("tensorboard.compat.proto.summary_pb2", "tensorboard").Summary
        self._writers = library("torch.utils.tensorboard", "tensorboard")
        self._folder = str(run.folder)
        self._writer = self._open(None)

    def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
        """Write scalars, as one event: an event for each takes 5 times as long."""
        values = [self._summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._writer.file_writer.add_summary(self._summary(value=values), images_seen)

    def images(self, name: str, grid: NDArray[np.uint8], images_seen: int) -> None:
        """Write an image, uint8 RGB [H, W, 3]."""
        self._writer.add_image(name, grid, images_seen, dataformats="HWC")

    def rewind(self, images_seen: int) -> None:
        """Open another file, which begins with the order to forget what comes after so many images."""
        self._writer.close()
        self._writer = self._open(images_seen + 1)

    def finish(self, complete: bool) -> None:
        """Close the file."""
        self._writer.close()

    def _open(self, purge_step: int | None) -> Any:
        return self._writers.SummaryWriter(self._folder, purge_step=purge_step, flush_secs=SOON)


@frozen(kw_only=True)
class TensorBoard:
    """TensorBoard: scalars and sample grids as event files in the run folder, for ``tensorboard --logdir runs``.

    Use it first: it works without an account and a network, and a resumed or rolled-back run replaces its former points.
    Needs ``pip install 'ganblocks[tensorboard]'``.
    """

    def start(self, run: ganblocks.LoggedRun) -> ganblocks.LoggerSession:
        """Open an event file in the logger's folder."""
        return Events(run)
