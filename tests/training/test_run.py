"""A run folder is read and verified once, and a loaded checkpoint does not outlive its restoring."""

from __future__ import annotations

import gc
import hashlib
import shutil
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from torch import Tensor

import ganblocks as public
from ganblocks.cli import main
from ganblocks.errors import CheckpointError
from ganblocks.training import run as module
from ganblocks.training.checkpoint import Checkpoint, split_tensors
from ganblocks.training.loop import NoScorer
from ganblocks.training.run import Run
from tests.training.test_resuming import recipe, state


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file of a checkpoint is hashed, by the names of its folder and its own."""
    counts: Counter[str] = Counter()
    original = hashlib.file_digest

    def digest(file: BinaryIO, name: str) -> Any:
        path = Path(file.name)
        counts[f"{path.parent.name}/{path.name}"] += 1
        return original(file, name)

    monkeypatch.setattr(hashlib, "file_digest", digest)
    return counts


FILES = ("average.safetensors", "game.safetensors", "updater.safetensors", "state.json", "recipe.toml", "provenance.json")
COMMANDS: dict[str, Callable[[Path], object]] = {
    "open": lambda path: (lambda opened: (opened.images_seen, opened.sampler(), opened.read_checkpoint()))(Run.open(path)),
    "load": lambda path: public.load(path),
    "resume": lambda path: public.resume(path),
    "ganblocks resume": lambda path: main(["resume", str(path), "--quiet", "--no-score"]),
    "ganblocks sample": lambda path: main(["sample", str(path)]),
    "ganblocks evaluate": lambda path: main(["evaluate", str(path)]),
}


def test_a_checkpoint_that_another_process_wrote_after_opening_is_the_one_that_is_resumed(halfway: Path) -> None:
    opened = Run.open(halfway)
    assert opened.images_seen == 32
    assert opened.up_to_date() is opened
    finished = shutil.copytree(halfway, halfway.with_name("finished"))
    public.resume(finished)
    shutil.copytree(finished, halfway, dirs_exist_ok=True)  # as if it had happened here
    before = (halfway / "metrics.jsonl").read_bytes()
    public.resume(opened)
    assert (halfway / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_each_file_of_the_checkpoint_is_hashed_once(halfway: Path, hashed: Counter[str], command: str) -> None:
    COMMANDS[command](halfway)
    assert {name: count for name, count in hashed.items() if name.startswith("images-0000000032/")} == {
        f"images-0000000032/{name}": 1 for name in FILES
    }


def tensors_of(checkpoint: Checkpoint) -> Iterator[Tensor]:
    updater: dict[str, Tensor] = {}
    split_tensors(checkpoint.updater, updater)
    yield from (*checkpoint.game.values(), *checkpoint.average.values(), *updater.values())


def test_a_loaded_checkpoint_is_freed_before_the_first_step(halfway: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an optimizer takes over without a copy is the run's own; nothing else of the checkpoint is left."""
    loaded: list[weakref.ref[Any]] = []
    alive: list[int] = []
    original = module.read_checkpoint

    def read(path: Path) -> Checkpoint:
        checkpoint = original(path)
        loaded.append(weakref.ref(checkpoint))
        loaded.extend(weakref.ref(tensor) for tensor in tensors_of(checkpoint))
        return checkpoint

    def watch(record: dict[str, Any]) -> None:
        if not alive:
            gc.collect()
            alive.append(sum(reference() is not None for reference in loaded))

    monkeypatch.setattr(module, "read_checkpoint", read)
    public.resume(halfway, watch=watch)
    assert len(loaded) > 50
    assert alive == [0]


def test_without_a_checkpoint_a_run_opens_and_says_what_is_missing(halfway: Path) -> None:
    shutil.rmtree(halfway / "checkpoints")
    opened = Run.open(halfway)
    assert (opened.newest, opened.images_seen) == (None, 0)
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        _ = opened.checkpoint


def test_an_opened_run_can_be_resumed(halfway: Path, tmp_path: Path) -> None:
    other = shutil.copytree(halfway, tmp_path / "other")
    public.resume(halfway)
    public.resume(Run.open(other))
    assert state(other) == state(halfway)
    opened = Run.open(other)
    assert [record["step"] for record in opened.log] == list(range(1, 9))
    assert (opened.images_seen, opened.edits, opened.scores) == (64, (), [])
    assert opened.health["events"] == []
    assert len(opened.image.class_names) == len(opened.classes) == 10
    assert torch.equal(opened.sampler().sample(2), public.load(other).sample(2))


@pytest.mark.parametrize(("held_out", "warned"), [(49, True), (50, False)])
@pytest.mark.parametrize("scored", [True, False])
def test_few_held_out_images_are_named_where_they_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder, held_out: int, warned: bool, scored: bool
) -> None:
    images = recipe().data.dataset.open()
    split = {"train": images.split["train"], "held_out": images.split["held_out"][:held_out]}
    monkeypatch.setattr(type(recipe().data.dataset), "open", lambda self: public.Images(images.read, images.labels, "x", split))
    public.run(recipe(**{"training.images": 8}), tmp_path / "run", "cpu", scorer=NoScorer() if scored else None)
    messages = [str(warning.message) for warning in recwarn]
    assert any("only 49 images are held out" in message for message in messages) == (warned and scored)


def test_quiet_hides_progress_and_keeps_the_score(halfway: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(halfway), "--quiet"]) == 0
    printed = capsys.readouterr().err
    assert "kd[pixels]" in printed
    assert "images/s" not in printed


def test_the_package_completes_its_public_names_only() -> None:
    assert dir(public) == sorted(public.__all__)
    assert {"Average", "load", "run", "resume", "read_recipe", "discover"} <= set(dir(public))
    assert all(hasattr(public, name) for name in dir(public))
