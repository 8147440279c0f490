"""Checkpoints: one folder each, complete or absent, with tensors in safetensors and plain values in JSON. Never pickle."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen
from safetensors.torch import load_file, save
from torch import Tensor

from ganblocks.errors import CheckpointError
from ganblocks.files import STAGED, sync_folder
from ganblocks.training.manifest import verify, write_files
from ganblocks.training.reading import check_tensors, read_json

FORMAT = 1
OWN = "of the averaged weights"
"""The entry ``statistics`` of state.json. Checkpoints without it hold the live generator's running statistics instead."""
KEPT = 2
"""Checkpoints to keep; older ones are removed once a newer one is complete and verified."""
_NAME = re.compile(r"images-\d{10,19}")


@frozen(eq=False)
class Checkpoint:
    """Everything needed to continue a run."""

    images_seen: int
    step: int
    drawn: dict[str, int]
    """Samples drawn for each player."""
    game: dict[str, Tensor]
    average: dict[str, Tensor]
    """The averaged generator with settled estimates and statistics, ready to sample from."""
    updater: dict[str, Any]
    """Nested: tensors and plain values."""
    seconds: float = 0.0
    """Seconds of training so far."""
    metadata: Mapping[str, str] = {}
    """File name -> text: the resolved recipe and the provenance."""
    rollbacks: int = 0
    """How often the run was rolled back so far; it forks the random numbers."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``folder/images-N``: staged beside it, flushed, read back and renamed, so that it is never seen incomplete.

    Raises:
        CheckpointError: the disk is full, read-only or failing; earlier checkpoints are left as they are.

    """
    final = folder / f"images-{checkpoint.images_seen:010d}"
    if _is_good(final):  # of the same run: its end may be a checkpoint interval too
        return final
    staged = folder / f"{STAGED}{uuid.uuid4().hex}"
    contents = _contents(checkpoint)
    try:
        staged.mkdir(parents=True)
        _refuse_full(folder, sum(map(len, contents.values())))
        write_files(staged, contents, FORMAT)
        sync_folder(staged)
        if final.exists():  # damaged
            final.rename(folder / f"{STAGED}{uuid.uuid4().hex}")
        staged.rename(final)
        sync_folder(folder)
    except OSError as error:
        raise CheckpointError(f"{final}: cannot be saved: {_cause(error)}; earlier checkpoints are as they were") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    for old in in_order(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    sweep(folder)
    return final


def sweep(folder: Path) -> None:
    """Remove what an earlier process left unfinished."""
    for path in folder.glob(f"{STAGED}*"):
        shutil.rmtree(path, ignore_errors=True)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Verify and read a checkpoint. Raise CheckpointError, naming the file, if anything differs from what was written."""
    verify(folder, FORMAT)
    return read_checkpoint(folder)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint that was verified, by :func:`latest` for example."""
    facts = read_json(folder / "state.json", _is_state)
    try:
        updater = join_tensors(facts["updater"], load_tensors(folder, "updater"))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / 'state.json'}: damaged: it names tensors that are missing") from error
    counters = {name: facts[name] for name in ("images_seen", "step", "drawn", "seconds")}
    game, average = load_tensors(folder, "game"), load_tensors(folder, "average")
    return Checkpoint(**counters, game=game, average=average, updater=updater, rollbacks=facts.get("rollbacks", 0))


def has_own_statistics(folder: Path) -> bool:
    """Return whether the averaged generator was saved with running statistics of its own weights."""
    return bool(read_json(folder / "state.json", _is_state).get("statistics") == OWN)


def _is_state(facts: Any) -> bool:
    """Return whether the plain values of a checkpoint are counts that a run can have."""
    counts = (facts["images_seen"], facts["step"], *facts["drawn"].values())
    numbers = all(type(count) is int and 0 <= count < 2**63 for count in counts)
    return numbers and type(facts["seconds"]) in (int, float) and facts["seconds"] >= 0 and isinstance(facts["updater"], dict)


def in_order(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, good or not, oldest first (by number: from 10¹⁰ images on names are longer)."""
    return sorted((path for path in folder.glob("images-*") if _NAME.fullmatch(path.name)), key=images_seen)


def latest(run: Path) -> Path:
    """Verify and return the newest good checkpoint of a run folder; warn of damaged ones.

    Raises:
        CheckpointError: there is no checkpoint, or no good one.

    """
    checkpoints = in_order(run / "checkpoints")[::-1]
    if not checkpoints:
        rule = "no checkpoint here; a run writes its first one at its first checkpoint interval or its end"
        fix = f"if it was stopped before that, start it again with: ganblocks resume {shlex.quote(str(run))}"
        raise CheckpointError(f"{run}: {rule}; {fix}")
    problems = []
    for checkpoint in checkpoints:
        try:
            verify(checkpoint, FORMAT)
        except CheckpointError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            warnings.warn(f"{problem}; using {checkpoint.name} instead", stacklevel=2)
        return checkpoint
    raise CheckpointError("; ".join(problems))


def oldest(run: Path) -> Path:
    """Return the oldest good checkpoint of a run folder. Raise CheckpointError as :func:`latest` does."""
    good = (path for path in in_order(run / "checkpoints") if _is_good(path))
    return next(good, None) or latest(run)


def forget_after(checkpoint: Path) -> None:
    """Remove the checkpoints that are newer than this one."""
    for newer in in_order(checkpoint.parent):
        if images_seen(newer) > images_seen(checkpoint):
            shutil.rmtree(newer, ignore_errors=True)


def first_not_finite(checkpoint: Checkpoint) -> str:
    """Return the name of the first tensor that is not finite; empty if all are."""
    named = ((f"{part}: {name}", t) for part, tensors in _parts(checkpoint)[0].items() for name, t in tensors.items())
    return next((name for name, t in named if t.is_floating_point() and not bool(t.isfinite().all())), "")


def _parts(checkpoint: Checkpoint) -> tuple[dict[str, Mapping[str, Tensor]], Any]:
    """Return the tensors of each part by name, and the rest of the update rule's state as JSON values."""
    updater: dict[str, Tensor] = {}
    plain = split_tensors(checkpoint.updater, updater)
    return {"game": checkpoint.game, "average": checkpoint.average, "updater": updater}, plain


def _is_good(folder: Path) -> bool:
    try:
        verify(folder, FORMAT)
    except CheckpointError:
        return False
    return True


def images_seen(checkpoint: Path) -> int:
    """Return how many images a checkpoint had seen, by the name of its folder."""
    return int(checkpoint.name.removeprefix("images-"))


def load_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """Return a verified checkpoint's ``"game"``, ``"average"`` or ``"updater"``: tensors of any shape by name, on the CPU."""
    path = checkpoint / f"{name}.safetensors"
    check_tensors(path)
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises several unrelated types
        raise CheckpointError(f"{path}: cannot be read: {error}") from error


def split_tensors(value: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """Move the tensors of a nested state, of any shape, into ``tensors`` by dotted path; return the rest as JSON values.

    Keys of mappings may be of any type (torch's optimizers number their parameters). :func:`join_tensors` is the inverse.
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
    """Return the nested state that :func:`split_tensors` took apart, with tensors of any shape."""
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


def _contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    """Return file name -> content."""
    parts, plain = _parts(checkpoint)
    contents = {f"{name}.safetensors": _serialized(tensors) for name, tensors in parts.items()}
    facts = {name: getattr(checkpoint, name) for name in ("images_seen", "step", "seconds", "rollbacks")}
    facts |= {"statistics": OWN, "drawn": checkpoint.drawn, "updater": plain}
    contents["state.json"] = json.dumps(facts, indent=1).encode()
    return contents | {name: text.encode() for name, text in checkpoint.metadata.items()}


def _serialized(tensors: Mapping[str, Tensor]) -> bytes:
    return save({key: value.detach().cpu().contiguous() for key, value in tensors.items()})


def _refuse_full(folder: Path, needed: int) -> None:
    """Raise OSError before anything is written if it would not fit."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.1f} MB are needed, and {free / 1e6:,.1f} MB are free")


def _cause(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        numbers = "" if error.strerror == os.strerror(errno.ENOSPC) else f" ({error.strerror})"
        return f"no space left on the disk{numbers}; make room, or name another --out"
    if error.errno == errno.EROFS:
        return "the file system is read-only"
    return error.strerror or os.strerror(error.errno or 0)
