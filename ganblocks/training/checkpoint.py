"""Checkpoints: one folder each, whole or absent, tensors in safetensors and plain values in JSON; nothing is pickled."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from safetensors.torch import load_file, save
from torch import Tensor

from ganblocks.errors import CheckpointError
from ganblocks.files import replace_file, write_text

FORMAT = 1
KEPT = 2
"""Checkpoints that stay; older ones go once a newer one is complete."""


@frozen(eq=False)
class Checkpoint:
    """Everything needed to go on, every piece reachable by name."""

    images_seen: int
    step: int
    drawn: dict[str, int]
    """Samples drawn for each player."""
    game: dict[str, Tensor]
    average: dict[str, Tensor]
    """The averaged generator, settled: what ``ganblocks sample`` draws from."""
    updater: dict[str, Any]
    """Nested; tensors and plain values."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``folder/images-N``: staged beside it, flushed, then renamed, so that no half checkpoint is ever visible."""
    final = folder / f"images-{checkpoint.images_seen:010d}"
    staged = folder / f".tmp-{uuid.uuid4().hex}"
    staged.mkdir(parents=True)
    try:
        updater: dict[str, Tensor] = {}
        plain = split_tensors(checkpoint.updater, updater)
        for name, tensors in (("game", checkpoint.game), ("average", checkpoint.average), ("updater", updater)):
            with replace_file(staged / f"{name}.safetensors") as file:
                file.write(save({key: value.detach().cpu().contiguous() for key, value in tensors.items()}))
        facts = {"format": FORMAT, "images_seen": checkpoint.images_seen, "step": checkpoint.step, "drawn": checkpoint.drawn}
        write_text(staged / "state.json", json.dumps(facts | {"updater": plain}, indent=1))
        if final.exists():
            shutil.rmtree(final)
        staged.rename(final)
        _sync_folder(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    for old in sorted(folder.glob("images-*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def latest(run: Path) -> Path:
    """The newest checkpoint of a run folder."""
    found = sorted((run / "checkpoints").glob("images-*/state.json"))
    if not found:
        raise CheckpointError(
            f"{run}: no checkpoint here; a run writes its first one at its first checkpoint interval or its end"
        )
    return found[-1].parent


def images_seen(checkpoint: Path) -> int:
    """How many images the weights of a checkpoint's folder have seen."""
    return int(checkpoint.name.removeprefix("images-"))


def load_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """The tensors of one part (``"game"``, ``"average"``, ``"updater"``) of a checkpoint, on the processor."""
    path = checkpoint / f"{name}.safetensors"
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises several unrelated types
        raise CheckpointError(f"{path}: cannot be read: {error}") from error


def split_tensors(value: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """Take the tensors out of a nested state into ``tensors`` by dotted path; what remains is plain and JSON can hold it.

    A key that is no string (torch's optimizers number their parameters) becomes one; :func:`join_tensors` undoes it.
    """
    if isinstance(value, Tensor):
        tensors[path] = value
        return {"tensor": path}
    if isinstance(value, Mapping):
        return {
            "map": [[key, split_tensors(item, tensors, f"{path}.{key}" if path else str(key))] for key, item in value.items()]
        }
    if isinstance(value, list | tuple):
        items = [split_tensors(item, tensors, f"{path}.{i}") for i, item in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    return value


def join_tensors(plain: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Put a nested state together again."""
    match plain:
        case {"tensor": str(path)}:
            return tensors[path]
        case {"map": list(items)}:
            return {key: join_tensors(item, tensors) for key, item in items}
        case {"tuple": list(items)}:
            return tuple(join_tensors(item, tensors) for item in items)
        case {"list": list(items)}:
            return [join_tensors(item, tensors) for item in items]
    return plain


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
