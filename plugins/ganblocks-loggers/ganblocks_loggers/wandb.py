"""Weights & Biases: offline in the run folder, or online where the user's environment says so."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

import ganblocks
from ganblocks_loggers.library import library, plain_name
from ganblocks_loggers.moments import Moments, kept_id

AXIS = "images"
"""The number that is the x axis of all others."""


class WandbRun:
    """One run of a project, under one id in every session."""

    def __init__(self, run: ganblocks.LoggedRun, project: str) -> None:
        self._wandb = library("wandb", "wandb")
        self._moments = Moments(run.folder)
        settings = self._wandb.Settings(silent=True, console="off", x_disable_stats=True, disable_git=True, save_code=False)
        self._run = self._wandb.init(
            project=project,
            name=run.name,
            id=kept_id(run.folder, secrets.token_hex(4)),
            config={"title": run.title, "seed": run.seed, "recipe": dict(run.recipe)},
            resume="allow",
            mode=os.environ.get("WANDB_MODE", "offline"),
            dir=str(run.folder),
            settings=settings,
        )
        self._run.define_metric("*", step_metric=AXIS)

    def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
        """Log numbers."""
        if self._moments.is_new(images_seen):
            self._run.log({**numbers, AXIS: images_seen})

    def images(self, name: str, grid: NDArray[np.uint8], images_seen: int) -> None:
        """Log an image, uint8 RGB [H, W, 3]."""
        if self._moments.is_new(images_seen):
            self._run.log({name: self._wandb.Image(grid), AXIS: images_seen})

    def rewind(self, images_seen: int) -> None:
        """Leave out what comes again: a store that cannot delete has it."""
        self._moments.rewind()

    def finish(self, complete: bool) -> None:
        """Store everything."""
        self._run.finish(exit_code=0 if complete else 1)


@frozen(kw_only=True)
class WeightsAndBiases:
    """Weights & Biases: numbers and sample grids, offline in the run folder; ``wandb sync`` uploads them.

    Use it where runs are already kept there. It needs no account and no network unless ``WANDB_MODE=online`` is set. Needs
    ``pip install 'ganblocks[wandb]'``.

    Options:
        project: name of the project.
    """

    project: str = ganblocks.option("ganblocks", validator=plain_name)

    def start(self, run: ganblocks.LoggedRun) -> ganblocks.LoggerSession:
        """Begin the run, or continue it."""
        return WandbRun(run, self.project)
