"""Checkpoints: one folder each, whole or absent, tensors in safetensors and plain values in JSON; nothing is pickled."""

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
"""What state.json says of the average's running statistics; before this entry was written they were the live generator's."""
KEPT = 2
"""Checkpoints that stay; older ones go once a newer one is complete and verified."""
_NAME = re.compile(r"images-\d{10,19}")


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
    seconds: float = 0.0
    """Training time so far."""
    metadata: Mapping[str, str] = {}
    """File name -> text that travels along: the resolved recipe and the provenance, so that the folder explains itself."""
    rollbacks: int = 0
    """How often the run has gone back so far: it forks the random numbers."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``folder/images-N``: staged beside it, flushed, read back, then renamed: no half checkpoint is ever visible.

    Raises:
        CheckpointError: the disk is full, read-only or failing; the checkpoints that are there stay as they are.

    """
    final = folder / f"images-{checkpoint.images_seen:010d}"
    if _good(final):  # the same moment of the same run: its end may be a checkpoint interval too
        return final
    staged = folder / f"{STAGED}{uuid.uuid4().hex}"
    contents = _contents(checkpoint)
    try:
        staged.mkdir(parents=True)
        _refuse_full(folder, sum(map(len, contents.values())))
        write_files(staged, contents, FORMAT)
        sync_folder(staged)
        if final.exists():  # and damaged
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
    """Remove what an earlier process has left unfinished."""
    for left in folder.glob(f"{STAGED}*"):
        shutil.rmtree(left, ignore_errors=True)


def load_checkpoint(folder: Path) -> Checkpoint:
    """What :func:`save_checkpoint` wrote. Raises CheckpointError, naming the file, where anything is not as it was."""
    verify(folder, FORMAT)
    facts = read_json(folder / "state.json", _is_state)
    try:
        updater = join_tensors(facts["updater"], load_tensors(folder, "updater"))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / 'state.json'}: damaged: it names tensors that are not there") from error
    return Checkpoint(
        images_seen=facts["images_seen"],
        step=facts["step"],
        drawn=facts["drawn"],
        game=load_tensors(folder, "game"),
        average=load_tensors(folder, "average"),
        updater=updater,
        seconds=facts["seconds"],
        rollbacks=facts.get("rollbacks", 0),
    )


def has_own_statistics(folder: Path) -> bool:
    """Return whether the average of a checkpoint was saved with running statistics of its own weights."""
    return bool(read_json(folder / "state.json", _is_state).get("statistics") == OWN)


def _is_state(facts: Any) -> bool:
    """What a checkpoint says in plain values: counts that a run can have."""
    counts = (facts["images_seen"], facts["step"], *facts["drawn"].values())
    numbers = all(type(count) is int and 0 <= count < 2**63 for count in counts)
    return numbers and type(facts["seconds"]) in (int, float) and facts["seconds"] >= 0 and isinstance(facts["updater"], dict)


def in_order(folder: Path) -> list[Path]:
    """The checkpoints of a folder, good or not, oldest first: by number, which outgrows its ten digits at 10¹⁰ images."""
    return sorted((path for path in folder.glob("images-*") if _NAME.fullmatch(path.name)), key=images_seen)


def latest(run: Path) -> Path:
    """The newest good checkpoint of a run folder; damaged ones are passed over, with a warning that names what is wrong.

    Raises:
        CheckpointError: there is none, or none that is good.

    """
    found = in_order(run / "checkpoints")[::-1]
    if not found:
        raise CheckpointError(
            f"{run}: no checkpoint here; a run writes its first one at its first checkpoint interval or its end. If it was"
            f" stopped before, this starts it again: ganblocks resume {shlex.quote(str(run))}"
        )
    complaints = []
    for checkpoint in found:
        try:
            verify(checkpoint, FORMAT)
        except CheckpointError as error:
            complaints.append(str(error))
            continue
        for complaint in complaints:
            warnings.warn(f"{complaint}; using {checkpoint.name} instead", stacklevel=2)
        return checkpoint
    raise CheckpointError("; ".join(complaints))


def oldest(run: Path) -> Path:
    """The oldest good checkpoint of a run folder. Raises CheckpointError as :func:`latest` does."""
    good = (path for path in in_order(run / "checkpoints") if _good(path))
    return next(good, None) or latest(run)


def forget_after(checkpoint: Path) -> None:
    """Remove the checkpoints that are newer than this one: the run goes another way from here."""
    for newer in in_order(checkpoint.parent):
        if images_seen(newer) > images_seen(checkpoint):
            shutil.rmtree(newer, ignore_errors=True)


def first_not_finite(checkpoint: Checkpoint) -> str:
    """The name of the first tensor that is not finite; empty where all are."""
    updater: dict[str, Tensor] = {}
    split_tensors(checkpoint.updater, updater)
    for part, tensors in (("game", checkpoint.game), ("average", checkpoint.average), ("updater", updater)):
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                return f"{part}: {name}"
    return ""


def _good(folder: Path) -> bool:
    try:
        verify(folder, FORMAT)
    except CheckpointError:
        return False
    return True


def images_seen(checkpoint: Path) -> int:
    """How many images the weights of a checkpoint's folder have seen."""
    return int(checkpoint.name.removeprefix("images-"))


def load_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """The tensors of one part (``"game"``, ``"average"``, ``"updater"``) of a checkpoint, on the processor."""
    path = checkpoint / f"{name}.safetensors"
    check_tensors(path)
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


def _contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    """File name -> its bytes."""
    updater: dict[str, Tensor] = {}
    plain = split_tensors(checkpoint.updater, updater)
    parts = {"game": checkpoint.game, "average": checkpoint.average, "updater": updater}
    contents = {f"{name}.safetensors": _packed(tensors) for name, tensors in parts.items()}
    facts = {
        "images_seen": checkpoint.images_seen,
        "step": checkpoint.step,
        "seconds": checkpoint.seconds,
        "rollbacks": checkpoint.rollbacks,
        "statistics": OWN,
        "drawn": checkpoint.drawn,
        "updater": plain,
    }
    contents["state.json"] = json.dumps(facts, indent=1).encode()
    return contents | {name: text.encode() for name, text in checkpoint.metadata.items()}


def _packed(tensors: Mapping[str, Tensor]) -> bytes:
    return save({key: value.detach().cpu().contiguous() for key, value in tensors.items()})


def _refuse_full(folder: Path, needed: int) -> None:
    """Raises OSError before anything is written, where it would not fit."""
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
