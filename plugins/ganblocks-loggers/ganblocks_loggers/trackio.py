"""Trackio: a local store in the user's cache folder, with a dashboard of its own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

import ganblocks
from ganblocks_loggers.library import library, plain_name
from ganblocks_loggers.moments import Moments, kept_id

RENAMED = {"step": "steps"}
"""Names that Trackio has for itself -> other ones."""


class TrackioRun:
    """One run of a Trackio project, under one name in every session."""

    def __init__(self, run: ganblocks.LoggedRun, project: str) -> None:
        self._trackio = library("trackio", "trackio")
        self._moments = Moments(run.folder)
        self._run = self._trackio.init(
            project=project,
            name=kept_id(run.folder, f"{run.name}-{secrets.token_hex(3)}"),
            config={"title": run.title, "seed": run.seed, "recipe": dict(run.recipe)},
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
        """Log numbers."""
        if self._moments.is_new(images_seen):
            self._run.log({RENAMED.get(name, name): value for name, value in numbers.items()}, step=images_seen)

    def images(self, name: str, grid: NDArray[np.uint8], images_seen: int) -> None:
        """Log an image, uint8 RGB [H, W, 3]."""
        if self._moments.is_new(images_seen):
            self._run.log({name: self._trackio.Image(grid)}, step=images_seen)

    def rewind(self, images_seen: int) -> None:
        """Leave out what comes again: a store that cannot delete has it."""
        self._moments.rewind()

    def finish(self, complete: bool) -> None:
        """Store everything."""
        self._run.finish()


@frozen(kw_only=True)
class Trackio:
    """Trackio: numbers and sample grids in its local store, for ``trackio show --project ganblocks``.

    Use it to see many runs side by side on one machine. The store is where ``TRACKIO_DIR`` says, or in the user's cache folder.
    Needs ``pip install 'ganblocks[trackio]'``.

    Options:
        project: name of the project.
    """

    project: str = ganblocks.option("ganblocks", validator=plain_name)

    def start(self, run: ganblocks.LoggedRun) -> ganblocks.LoggerSession:
        """Begin the run in the store, or continue it."""
        return TrackioRun(run, self.project)
