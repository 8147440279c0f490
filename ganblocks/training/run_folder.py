"""The run folder: recipe.toml, provenance.json, metrics.jsonl, samples/, checkpoints/. Nothing is written elsewhere."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganblocks.errors import CheckpointError, UsageError
from ganblocks.files import write_text


class RunFolder:
    """Where a run keeps what it makes.

    Args:
        path: the folder; made if it is absent, refused if it already holds a run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(f"{path}: exists and is not empty; name another folder with --out, or move it away")
        try:
            (path / "samples").mkdir(parents=True)
            (path / "checkpoints").mkdir()
        except OSError as error:
            raise UsageError(f"{path}: cannot be made: {error.strerror}") from error
        self._metrics = (path / "metrics.jsonl").open("a", encoding="utf-8")

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def sample(self, images_seen: int) -> Path:
        """Where the sample grid of this moment goes."""
        return self.path / "samples" / f"images-{images_seen:010d}.png"

    def write(self, recipe: str, provenance: Mapping[str, Any]) -> None:
        write_text(self.path / "recipe.toml", recipe)
        write_text(self.path / "provenance.json", json.dumps(provenance, indent=2) + "\n")

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl; a number that JSON does not have becomes null."""
        plain = {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in record.items()}
        self._metrics.write(json.dumps(plain) + "\n")

    def flush(self) -> None:
        self._metrics.flush()

    def close(self) -> None:
        self._metrics.close()


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The records of a run's metrics.jsonl, one per step; a last line cut short by a kill is left out."""
    path = run / "metrics.jsonl"
    if not path.is_file():
        raise CheckpointError(f"{run}: no metrics.jsonl here; is this a run folder?")
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
