"""A run folder is data: whatever stands in it, opening it gives a message, quickly, and nothing runs."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ganblocks
from ganblocks.cli import main
from ganblocks.errors import CheckpointError, GanblocksError
from ganblocks.registry import Registry
from ganblocks.training.checkpoint import load_checkpoint
from ganblocks.training.launch import resume
from ganblocks.training.reading import check_tensors, depth, read_json
from ganblocks.training.run_folder import read_metrics
from tests.hostile.runs import CHECKPOINT, HOSTILE, OWNED, SOUND, TENSORS, Spoil, copy, replaced, seal, with_header
from tests.hostile.test_hostile_recipes import watched


@pytest.fixture(scope="module")
def registry() -> Registry:
    found = ganblocks.discover()
    ganblocks.load(SOUND, registry=found)
    return found


def test_there_are_three_hundred() -> None:
    assert len(HOSTILE) >= 300


@pytest.mark.parametrize("spoil", [spoil for _, spoil in HOSTILE], ids=[ascii(name)[:50] for name, _ in HOSTILE])
def test_each_is_refused_within_a_second(registry: Registry, spoil: Spoil, tmp_path: Path) -> None:
    run = copy(tmp_path / "run")
    spoil(run)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(GanblocksError) as caught:
        ganblocks.load(run, registry=registry)
    assert time.process_time() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB
    assert caught.value.exit_code in (2, 3)
    assert str(run) in str(caught.value) or "generator" in str(caught.value)


def test_nothing_runs_while_they_are_opened(tmp_path: Path) -> None:
    for number, (_, spoil) in enumerate(HOSTILE):
        spoil(copy(tmp_path / f"{number:03}"))
    done = watched(tmp_path, "runs")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert not Path(OWNED).exists()


def opened(run: Path, *command: str) -> int:
    return main([command[0], str(run), *command[1:]])


STATES: list[bytes] = [
    b"",
    b"[]",
    b"[" * 100_000,
    b'{"updater": {"map": ' + b"[" * 500 + b"]" * 500 + b"}}",
    b"9" * 5_000,
    *(
        json.dumps({**json.loads((SOUND / CHECKPOINT / "state.json").read_bytes()), **change}).encode()
        for change in (
            {"images_seen": "32"},
            {"images_seen": -1},
            {"images_seen": 2**70},
            {"step": None},
            {"drawn": []},
            {"drawn": {"generator": 1.5}},
            {"drawn": {}},
            {"seconds": "x"},
            {"updater": 5},
            {"updater": {"tensor": "nowhere"}},
            {"updater": {"map": [[["list"], 1]]}},
            {"updater": {"map": [5]}},
            {"updater": {"map": [["generator", 1]]}},
            {"updater": {}},
        )
    ),
]


@pytest.mark.parametrize("content", STATES, ids=lambda content: ascii(content[:20]))
def test_states_that_nobody_saved(registry: Registry, content: bytes, tmp_path: Path) -> None:
    run = copy(tmp_path / "run")
    replaced("state.json", content)(run)
    with pytest.raises(CheckpointError):
        resume(run, registry=registry)


FACTS = json.loads((SOUND / "provenance.json").read_bytes())


@pytest.mark.parametrize(
    "change",
    [
        {"threads": 10**9},
        {"threads": -1},
        {"threads": True},
        {"seed": 2**80},
        {"seed": "0"},
        {"device": 5},
        {"data": None},
        {"recipe": 5},
        {"recipe": []},
        {"changes": {}},
        {"init_from": 5},
        {"init_from": {"run": 5, "manifest": ""}},
        {"components": 5},
        {"components": {"x": {}}},
        {"components": {"x": {"kind": 5, "name": [], "distribution": {}, "version": None}}},
    ],
    ids=str,
)
def test_provenances_that_nobody_wrote(registry: Registry, change: dict[str, Any], tmp_path: Path) -> None:
    run = copy(tmp_path / "run")
    (run / "provenance.json").write_text(json.dumps(FACTS | change))
    with pytest.raises(GanblocksError):
        resume(run, registry=registry)


@pytest.mark.parametrize("name", ["provenance.json", "metrics.jsonl", "scores.json"])
@pytest.mark.parametrize("kind", ["pipe", "sparse", "deep", "nonsense"])
def test_other_files_of_a_run_are_never_waited_for(registry: Registry, name: str, kind: str, tmp_path: Path) -> None:
    run = copy(tmp_path / "run")
    path = run / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "sparse":
        path.touch()
        os.truncate(path, 2**40)
    else:
        path.write_bytes({"deep": b"[" * 100_000, "nonsense": b'[1, "x", null]'}[kind])
    started = time.process_time()
    if name == "metrics.jsonl":
        with suppress(CheckpointError):
            assert read_metrics(run) == []
    else:
        images = ganblocks.load(run, registry=registry).sample(1)  # needs neither
        assert len(images) == 1
        if name == "provenance.json":
            with pytest.raises(CheckpointError):
                resume(run, registry=registry)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "sparse", "shape", "deep"])
@pytest.mark.parametrize("name", ["health.json", "metrics.jsonl"])
def test_what_a_resumed_run_writes_to_is_a_plain_file_of_its_own(
    registry: Registry, name: str, kind: str, tmp_path: Path
) -> None:
    run, outside = copy(tmp_path / "run"), tmp_path / "outside"
    outside.write_text("")
    path = run / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(outside)
    elif kind == "folder":
        path.mkdir()
    elif kind == "sparse":
        path.touch()
        os.truncate(path, 2**40)
    else:
        path.write_bytes({"deep": b"[" * 100_000, "shape": b'{"events": [1]}'}[kind])
    started = time.process_time()
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")) if _refused(name, kind) else nullcontext():
        resume(run, registry=registry)
    assert outside.read_text() == ""
    assert time.process_time() - started < 5


def _refused(name: str, kind: str) -> bool:
    """A log that tells nothing is no reason to stop: the checkpoint holds what is needed."""
    return name == "health.json" or kind not in ("shape", "deep")


@pytest.mark.parametrize("name", ["samples", "checkpoints"])
def test_a_run_writes_into_no_other_folder(registry: Registry, name: str, tmp_path: Path) -> None:
    run, outside = copy(tmp_path / "run"), tmp_path / "outside"
    if (run / name).exists():
        (run / name).rename(outside)
    else:
        outside.mkdir()
    before = {path: path.stat().st_mtime_ns for path in outside.rglob("*")}
    (run / name).symlink_to(outside)
    with pytest.raises(CheckpointError, match="is a link"):
        resume(run, registry=registry)
    assert {path: path.stat().st_mtime_ns for path in outside.rglob("*")} == before


RECORDS = [b"{}", b'{"step": 1}', b'{"step": 1, "images": "8"}', b"[1]", b'"step"', b"1", b'{"step": 1, "images": 8, "x": {}}']
ODD = ('"x"', "[]", "NaN", "1e999", "1" + "0" * 400, "true")


@pytest.mark.parametrize("line", [*RECORDS, *(b'{"step": 1, "images": 8, "fake/nearest": %s}' % odd.encode() for odd in ODD)])
def test_a_log_ends_before_a_record_that_nobody_wrote(registry: Registry, line: bytes, tmp_path: Path) -> None:
    run = copy(tmp_path / "run")
    first, _, rest = (run / "metrics.jsonl").read_bytes().partition(b"\n")
    (run / "metrics.jsonl").write_bytes(first + b"\n" + line + b"\n" + rest)
    assert read_metrics(run) == [json.loads(first)]
    if line == RECORDS[0] or b"fake" in line:
        resume(run, registry=registry)


@pytest.mark.parametrize("command", [("sample",), ("resume", "--quiet"), ("evaluate", "--device", "cpu")])
@pytest.mark.parametrize("spoil", [0, 60, 200, -1], ids=str)
def test_commands_say_one_line(
    command: tuple[str, ...], spoil: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copy(tmp_path / "run")
    HOSTILE[spoil][1](run)
    assert opened(run, *command) in (2, 3)
    printed = capsys.readouterr().err
    assert "error: " in printed
    assert "Traceback" not in printed
    assert "\x1b" not in printed


def test_a_run_to_start_from_is_read_as_carefully(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.cli.commands import ROOT, tiny

    run = copy(tmp_path / "run")
    header = {"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}
    (run / CHECKPOINT / "game.safetensors").write_bytes(with_header(header, b"\0\0\0\0"))
    seal(run)
    arguments = ["run", str(ROOT / "recipes" / "sagan.toml"), *tiny(), "--out", str(tmp_path / "new"), "--init-from", str(run)]
    assert main(arguments) == 3
    assert "game.safetensors: damaged" in capsys.readouterr().err


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
tensor = st.fixed_dictionaries(
    {"dtype": st.sampled_from(["F32", "I64", "U8", "X"]), "shape": st.lists(st.integers(-1, 5), max_size=3)}
    | {"data_offsets": st.lists(st.integers(-1, 40), min_size=2, max_size=2)}
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain | st.dictionaries(st.text(max_size=5), tensor | plain, max_size=3), st.binary(max_size=40))
def test_any_header_loads_or_is_refused(tmp_path: Path, header: Any, data: bytes) -> None:
    from safetensors.torch import load_file

    path = tmp_path / TENSORS
    path.write_bytes(with_header(header, data))
    try:
        check_tensors(path)
    except CheckpointError:
        return
    try:
        tensors = load_file(path)
    except Exception:  # whatever safetensors itself is stricter about
        return
    assert sum(value.numel() * value.element_size() for value in tensors.values()) == len(data)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["manifest.json", "state.json"]), plain | st.binary(max_size=50))
def test_any_json_is_a_checkpoint_or_an_error(tmp_path: Path, name: str, content: Any) -> None:
    run = tmp_path / "run"
    shutil.rmtree(run, ignore_errors=True)
    copy(run)
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    replaced(name, raw, sealed=name != "manifest.json")(run)
    with pytest.raises(CheckpointError):
        load_checkpoint(run / CHECKPOINT)


@given(plain)
def test_depth_counts_brackets_outside_of_strings(value: Any) -> None:
    def deep(inner: Any) -> int:
        items = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else None
        return 0 if items is None else 1 + max(map(deep, items), default=0)

    assert depth(json.dumps(value).encode()) == deep(value)


def test_json_within_limits_comes_back(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1, "[[["]}')
    assert read_json(tmp_path / "a.json") == {"a": [1, "[[["]}
    (tmp_path / "link.json").symlink_to(tmp_path / "a.json")
    with pytest.raises(CheckpointError, match="no plain file"):
        read_json(tmp_path / "link.json")
