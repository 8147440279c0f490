"""Checkpoints against what disks and kills do: detected and named, never half there, never silently lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ganblocks.errors import CheckpointError
from ganblocks.training import manifest
from ganblocks.training.checkpoint import (
    FORMAT,
    Checkpoint,
    forget_after,
    latest,
    load_checkpoint,
    oldest,
    save_checkpoint,
    sweep,
)
from ganblocks.training.manifest import verify


def example(images: int) -> Checkpoint:
    tensors = {"a.weight": torch.arange(12.0).view(3, 4) + images, "b": torch.tensor(images)}
    updater = {"generator": {"updates": images, "parameters": {"w": {"exp_avg": torch.ones(5) * images}}}}
    metadata = {"recipe.toml": 'title = "x"\n', "provenance.json": "{}"}
    return Checkpoint(images, images // 8, {"generator": images}, tensors, tensors, updater, 1.5, metadata)


def same(one: Checkpoint, other: Checkpoint) -> bool:
    tensors = [(one.game, other.game), (one.average, other.average)]
    equal = all(torch.equal(a[name], b[name]) for a, b in tensors for name in a)
    moments = [each.updater["generator"]["parameters"]["w"]["exp_avg"] for each in (one, other)]
    return (
        equal
        and torch.equal(*moments)
        and (one.images_seen, one.step, one.drawn) == (other.images_seen, other.step, other.drawn)
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    for images in (8, 16):
        save_checkpoint(folder / "checkpoints", example(images))
    return folder


@contextmanager
def spoilt(run: Path, change: Callable[[Path], None]) -> Iterator[Path]:
    """The newest checkpoint after ``change``; afterwards as it was."""
    newest, kept = run / "checkpoints" / "images-0000000016", run / "kept"
    shutil.copytree(newest, kept)
    try:
        change(newest)
        yield newest
    finally:
        shutil.rmtree(newest)
        kept.rename(newest)


def detected(run: Path, newest: Path, name: str) -> None:
    """The file is named, and the checkpoint before is used instead."""
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        verify(newest, FORMAT)
    with pytest.warns(UserWarning, match=r"using images-0000000008 instead"):
        chosen = latest(run)
    assert same(load_checkpoint(chosen), example(8))


FILES = ("game.safetensors", "average.safetensors", "updater.safetensors", "state.json", "recipe.toml", "provenance.json")


def test_what_is_saved_comes_back(run: Path) -> None:
    assert same(load_checkpoint(latest(run)), example(16))
    assert {path.name for path in latest(run).iterdir()} == {*FILES, manifest.NAME}


@given(st.sampled_from(FILES), st.floats(0, 1), st.integers(0, 7))
def test_every_flipped_bit_is_found_and_its_file_named(run: Path, name: str, place: float, bit: int) -> None:
    def flip(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[round(place * (len(content) - 1))] ^= 1 << bit
        (folder / name).write_bytes(content)

    with spoilt(run, flip) as newest:
        detected(run, newest, name)


@given(st.floats(0, 1), st.integers(0, 7))
def test_a_flipped_bit_of_the_manifest_never_goes_unnoticed_where_it_matters(run: Path, place: float, bit: int) -> None:
    """Blanks between its values may change; what it says may not."""

    def flip(folder: Path) -> None:
        content = bytearray((folder / manifest.NAME).read_bytes())
        content[round(place * (len(content) - 1))] ^= 1 << bit
        (folder / manifest.NAME).write_bytes(content)

    before = json.loads((run / "checkpoints" / "images-0000000016" / manifest.NAME).read_bytes())
    with spoilt(run, flip) as newest:
        try:
            verify(newest, FORMAT)
        except CheckpointError:
            return
        assert json.loads((newest / manifest.NAME).read_bytes()) == before


@given(st.sampled_from((*FILES, manifest.NAME)), st.floats(0, 1))
def test_every_truncation_is_found(run: Path, name: str, share: float) -> None:
    def cut(folder: Path) -> None:
        content = (folder / name).read_bytes()
        said = len(content.rstrip())  # a manifest without its last line's end is whole
        (folder / name).write_bytes(content[: int(share * (said - 1))])

    with spoilt(run, cut) as newest:
        detected(run, newest, name)


@pytest.mark.parametrize("name", [*FILES, manifest.NAME])
def test_missing_swapped_and_foreign_files_are_found(run: Path, name: str) -> None:
    older = run / "checkpoints" / "images-0000000008"
    with spoilt(run, lambda folder: (folder / name).unlink()) as newest:
        detected(run, newest, name)
    if name not in ("recipe.toml", "provenance.json"):  # equal in both
        with (
            spoilt(run, lambda folder: shutil.copy(older / name, folder / name)) as newest,  # type: ignore[arg-type, return-value]
            pytest.raises(CheckpointError),
        ):
            verify(newest, FORMAT)
    with spoilt(run, lambda folder: (folder / f"{name}.bak").write_bytes(b"")) as newest:  # type: ignore[arg-type, return-value]
        detected(run, newest, f"{name}.bak")


def test_a_link_is_no_file(run: Path, tmp_path: Path) -> None:
    def link(folder: Path) -> None:
        (folder / "state.json").rename(tmp_path / "state.json")
        (folder / "state.json").symlink_to(tmp_path / "state.json")

    with spoilt(run, link) as newest:
        detected(run, newest, "state.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "reads up to 1; upgrade ganblocks"),
        ({"format": "1"}, "damaged"),
        ({"files": {"../../etc/passwd": {"bytes": 1, "sha256": ""}}}, "damaged"),
        ({"files": {"state.json": {"bytes": "1", "sha256": ""}}}, "damaged"),
        ({"files": []}, "damaged"),
        ({"files": {"state.json": 5}}, "damaged"),
    ],
)
def test_manifests_that_nobody_wrote(run: Path, change: dict[str, Any], words: str) -> None:
    def write(folder: Path) -> None:
        (folder / manifest.NAME).write_text(json.dumps(json.loads((folder / manifest.NAME).read_text()) | change))

    with spoilt(run, write) as newest, pytest.raises(CheckpointError, match=words):
        verify(newest, FORMAT)


@pytest.mark.parametrize("content", [b"", b"[", b"null", b"[" * 100_000, b" " * (1 << 20) + b"{}", b"\xff\xfe"])
def test_manifests_that_are_none(run: Path, content: bytes) -> None:
    with (
        spoilt(run, lambda folder: (folder / manifest.NAME).write_bytes(content)) as newest,  # type: ignore[arg-type, return-value]
        pytest.raises(CheckpointError, match=r"manifest\.json"),
    ):
        verify(newest, FORMAT)


def test_where_none_is_good_all_are_named(tmp_path: Path) -> None:
    for images in (8, 16):
        path = save_checkpoint(tmp_path / "checkpoints", example(images))
        (path / "game.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"images-0000000016/game.*images-0000000008/game"):
        latest(tmp_path)


@contextmanager
def failing(at: int, action: Callable[[], None]) -> Iterator[list[str]]:
    """``action`` instead of the ``at``-th call that changes or flushes something on the disk; yields the calls made."""
    calls: list[str] = []
    monkeypatch = pytest.MonkeyPatch()

    def guarded(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if name != "open" or (len(arguments) > 1 and arguments[1] in ("wb", "xb")):
                calls.append(name)
                if len(calls) == at:
                    action()
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, call)

    for owner, names in ((os, ("fsync", "open")), (Path, ("open", "mkdir", "rename"))):
        for name in names:
            if not (owner is os and name == "open"):
                guarded(owner, name)
    try:
        yield calls
    finally:
        monkeypatch.undo()


def boundaries() -> int:
    """How many such calls one save makes."""
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), example(8))
        with failing(0, lambda: None) as calls:
            save_checkpoint(Path(folder), example(16))
    assert len(calls) > 15, calls
    return len(calls)


BOUNDARIES = boundaries()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT], ids=lambda code: errno.errorcode[code])
def test_a_failing_disk_is_never_silent_and_never_costs_the_last_checkpoint(tmp_path: Path, code: int) -> None:
    """At every call of a save that touches the disk, one at a time."""

    def fail() -> None:
        raise OSError(code, os.strerror(code))

    for at in range(1, BOUNDARIES + 1):
        run = tmp_path / str(at)
        save_checkpoint(run / "checkpoints", example(8))
        with (
            pytest.raises(CheckpointError, match=r"cannot be saved: .*earlier checkpoints are as they were"),
            failing(at, fail),
        ):
            save_checkpoint(run / "checkpoints", example(16))
        found = load_checkpoint(latest(run))
        assert same(found, example(8)) or same(found, example(16))  # the last call only flushes the folder's entries
        if at < BOUNDARIES:
            assert same(found, example(8))


def test_a_kill_at_any_call_of_a_save_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    for at in range(1, BOUNDARIES + 1):
        run = tmp_path / str(at)
        save_checkpoint(run / "checkpoints", example(8))
        child = os.fork()
        if child == 0:
            with failing(at, lambda: os._exit(9)):
                save_checkpoint(run / "checkpoints", example(16))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        found = load_checkpoint(latest(run))
        assert same(found, example(16 if at == BOUNDARIES else 8))
        sweep(run / "checkpoints")
        assert all(path.name.startswith("images-") for path in (run / "checkpoints").iterdir())


def test_checkpoints_are_in_order_by_number(tmp_path: Path) -> None:
    """From 10¹⁰ images on a name is longer, and sorts before those of fewer images."""
    moments = (9_999_999_984, 9_999_999_992, 10_000_000_000, 10_000_000_008)
    for images in moments:
        save_checkpoint(tmp_path / "checkpoints", example(images))
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {f"images-{images}" for images in moments[2:]}
    save_checkpoint(tmp_path / "others" / "checkpoints", example(moments[1]))
    save_checkpoint(tmp_path / "others" / "checkpoints", example(moments[2]))
    assert latest(tmp_path / "others").name == f"images-{moments[2]}"
    assert oldest(tmp_path / "others").name == f"images-{moments[1]}"
    forget_after(oldest(tmp_path / "others"))
    assert latest(tmp_path / "others").name == f"images-{moments[1]}"


def test_all_is_on_the_disk_before_its_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut takes what was not flushed: files, the manifest after them, their folder, the rename, the folder above."""
    done: list[int] = []  # inodes in the order of their flushes; 0 is the rename
    rename = Path.rename
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(os.fstat(descriptor).st_ino))
    monkeypatch.setattr(Path, "rename", lambda self, target: (done.append(0), rename(self, target))[1])  # type: ignore[func-returns-value]
    path = save_checkpoint(tmp_path, example(8))
    inodes = {file.name: file.stat().st_ino for file in path.iterdir()}
    assert done[-4:] == [inodes.pop(manifest.NAME), path.stat().st_ino, 0, tmp_path.stat().st_ino]
    assert sorted(done[:-4]) == sorted(inodes.values())


def test_a_damaged_checkpoint_of_the_same_moment_is_replaced(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "checkpoints", example(8))
    (path / "game.safetensors").write_bytes(b"")
    save_checkpoint(tmp_path / "checkpoints", example(8))
    assert same(load_checkpoint(latest(tmp_path)), example(8))
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1


def test_files_have_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = save_checkpoint(tmp_path / "checkpoints", example(8))
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o640}


def test_what_the_disk_garbles_on_the_way_is_noticed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = manifest.write_bytes

    def garble(path: Path, content: bytes) -> None:
        original(path, content[:-1] + b"\x00" if path.name == "average.safetensors" else content)

    save_checkpoint(tmp_path / "checkpoints", example(8))
    monkeypatch.setattr(manifest, "write_bytes", garble)
    with pytest.raises(CheckpointError, match=r"average\.safetensors: damaged"):
        save_checkpoint(tmp_path / "checkpoints", example(16))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["images-0000000008"]


def test_a_disk_that_is_too_full_is_seen_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "checkpoints", example(8))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    monkeypatch.setattr(manifest, "write_bytes", lambda path, content: pytest.fail("something was written"))
    with pytest.raises(
        CheckpointError, match=r"no space left on the disk \(0\.0 MB are needed, and 0\.0 MB are free\); make room"
    ):
        save_checkpoint(tmp_path / "checkpoints", example(16))
    monkeypatch.undo()
    assert same(load_checkpoint(latest(tmp_path)), example(8))


class Checkpoints(RuleBasedStateMachine):
    """Any history of saves, kills in the middle of one, damage and sweeps: the newest whole checkpoint is what opens."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name) / "checkpoints"
        self.images = 0
        self.whole: list[int] = []
        """Images of the checkpoints that must be good, oldest first."""

    def teardown(self) -> None:
        self.place.cleanup()

    def path(self, images: int) -> Path:
        return self.folder / f"images-{images:010d}"

    @rule()
    def save(self) -> None:
        self.images += 8
        save_checkpoint(self.folder, example(self.images))
        kept = sorted(path.name for path in self.folder.glob("images-*"))
        assert len(kept) <= 2
        self.whole = [images for images in [*self.whole, self.images] if self.path(images).name in kept]

    @rule(at=st.integers(1, BOUNDARIES))
    def kill_a_save(self, at: int) -> None:
        self.images += 8
        child = os.fork()
        if child == 0:
            with failing(at, lambda: os._exit(9)):
                save_checkpoint(self.folder, example(self.images))
            os._exit(0)
        os.waitpid(child, 0)
        if self.path(self.images).exists():  # killed after the rename
            self.whole.append(self.images)

    @precondition(lambda self: self.whole)
    @rule(name=st.sampled_from((*FILES, manifest.NAME)), place=st.floats(0, 1))
    def damage_the_newest(self, name: str, place: float) -> None:
        path = self.path(self.whole.pop()) / name
        content = bytearray(path.read_bytes())
        path.write_bytes(content[: int(place * (len(content.rstrip()) - 1))])

    @rule()
    def sweep(self) -> None:
        sweep(self.folder)
        assert all(path.name.startswith("images-") for path in self.folder.glob("*"))

    @rule()
    def save_the_same_moment_again(self) -> None:
        if self.images:
            save_checkpoint(self.folder, example(self.images))
            kept = {path.name for path in self.folder.glob("images-*")}
            self.whole = [images for images in sorted({*self.whole, self.images}) if self.path(images).name in kept]

    @invariant()
    def the_newest_whole_one_opens(self) -> None:
        if not self.whole:
            with pytest.raises(CheckpointError):
                latest(self.folder.parent)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert same(load_checkpoint(latest(self.folder.parent)), example(self.whole[-1]))


TestCheckpoints = Checkpoints.TestCase
TestCheckpoints.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
