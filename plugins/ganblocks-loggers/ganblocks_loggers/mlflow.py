"""MLflow: a database in the run folder, or the server that the user's environment names."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

import ganblocks
from ganblocks_loggers.library import library, plain_name
from ganblocks_loggers.moments import Moments, kept_id

SERVER = "MLFLOW_TRACKING_URI"
LONGEST = 500
"""Characters of a parameter's value."""
MOST = 100
"""Parameters in one call."""


class MLflowRun:
    """One run of an experiment, under one id in every session."""

    def __init__(self, run: ganblocks.LoggedRun, experiment: str) -> None:
        tracking, self._entities, _ = (library(name, "mlflow") for name in ("mlflow.tracking", "mlflow.entities", "alembic"))
        self._moments = Moments(run.folder)
        self._client = tracking.MlflowClient(os.environ.get(SERVER) or f"sqlite:///{run.folder / 'mlflow.db'}")
        self._id = kept_id(run.folder, "") or self._new(run, experiment)
        self._client.update_run(self._id, status="RUNNING")

    def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
        """Log numbers."""
        if self._moments.is_new(images_seen):
            now = int(time.time() * 1000)
            metrics = [self._entities.Metric(allowed(name), value, now, images_seen) for name, value in numbers.items()]
            self._client.log_batch(self._id, metrics=metrics)

    def images(self, name: str, grid: NDArray[np.uint8], images_seen: int) -> None:
        """Log an image, uint8 RGB [H, W, 3]."""
        if self._moments.is_new(images_seen):
            self._client.log_image(self._id, grid, key=name, step=images_seen)

    def rewind(self, images_seen: int) -> None:
        """Leave out what comes again: a store that cannot delete has it."""
        self._moments.rewind()

    def finish(self, complete: bool) -> None:
        """Record how the run ended."""
        self._client.set_terminated(self._id, "FINISHED" if complete else "KILLED")

    def _new(self, run: ganblocks.LoggedRun, experiment: str) -> str:
        """Create the run with the recipe as its parameters, and return its id."""
        created = self._client.create_run(self._experiment(run, experiment), run_name=run.name).info.run_id
        rows = [("title", run.title), ("seed", run.seed), *flat(run.recipe)]
        parameters = [self._entities.Param(allowed(name), str(value)[:LONGEST]) for name, value in dict(rows).items()]
        for first in range(0, len(parameters), MOST):
            self._client.log_batch(created, params=parameters[first : first + MOST])
        return kept_id(run.folder, created)

    def _experiment(self, run: ganblocks.LoggedRun, name: str) -> str:
        """Return the id of the experiment; one in the run folder keeps its images there."""
        if (known := self._client.get_experiment_by_name(name)) is not None:
            return str(known.experiment_id)
        artifacts = None if os.environ.get(SERVER) else (run.folder / "artifacts").as_uri()
        return str(self._client.create_experiment(name, artifact_location=artifacts))


def allowed(name: str) -> str:
    """Return a name with the characters that MLflow allows."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Iterate over (dotted path, value) of a table."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


@frozen(kw_only=True)
class MLflow:
    """MLflow: numbers and sample grids in a database in the run folder, or on the server of ``MLFLOW_TRACKING_URI``.

    Use it where runs are already kept in MLflow. Needs ``pip install 'ganblocks[mlflow]'``, and the package ``mlflow`` to open
    a database: ``mlflow ui --backend-store-uri sqlite:///runs/sagan/loggers/mlflow/mlflow.db``.

    Options:
        experiment: name of the experiment.
    """

    experiment: str = ganblocks.option("ganblocks", validator=plain_name)

    def start(self, run: ganblocks.LoggedRun) -> ganblocks.LoggerSession:
        """Begin the run, or continue it."""
        return MLflowRun(run, self.experiment)
