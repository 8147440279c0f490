"""``ganblocks resume`` as a user runs it: after a signal, after a kill, and where there is nothing to resume."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganblocks.training.run_folder import read_metrics
from tests.cli.commands import ROOT, ganblocks

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"
LONG = (
    *("--set", "training.images=1600", "--set", "training.checkpoint_every=160"),
    *("--set", "evaluation.every=800", "--set", "evaluation.n=8", "--quiet"),
)


def final(run: Path) -> dict[str, bytes]:
    """The last checkpoint's tensors."""
    return {path.name: path.read_bytes() for path in sorted((run / "checkpoints").glob("images-*"))[-1].glob("*.safetensors")}


def logged(run: Path) -> list[dict[str, object]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in read_metrics(run)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = ganblocks("run", RECIPE, "--out", folder, *LONG)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def working(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The same run in tmp_path / "run", past its second checkpoint."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ganblocks", "run", str(RECIPE), "--out", str(tmp_path / "run"), *LONG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 120
    while not (tmp_path / "run" / "checkpoints" / "images-0000000320").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.005)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_stopped_run_ends_as_one_that_was_not(
    working: subprocess.Popen[str], whole: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    folder = tmp_path / "run"
    working.send_signal(number)
    _, errors = working.communicate(timeout=120)
    assert working.returncode == code
    assert len(logged(folder)) < len(logged(whole)), "it was stopped in time"
    assert (f"to continue: ganblocks resume {folder}" in errors) == (number is not signal.SIGKILL)
    done = ganblocks("resume", folder, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "not bit-exact" not in done.stderr
    assert final(folder) == final(whole)
    assert logged(folder) == logged(whole)
    assert json.loads((folder / "scores.json").read_text()) == json.loads((whole / "scores.json").read_text())


def test_a_second_process_is_refused_while_the_first_one_trains(working: subprocess.Popen[str], tmp_path: Path) -> None:
    working.send_signal(signal.SIGSTOP)  # still there, and in nobody's way
    done = ganblocks("resume", tmp_path / "run", "--quiet")
    assert done.returncode == 2
    assert "another process is training here" in done.stderr


def test_a_second_signal_leaves_at_once_and_without_harm(working: subprocess.Popen[str], whole: Path, tmp_path: Path) -> None:
    working.send_signal(signal.SIGSTOP)  # so that both arrive before the step ends
    working.send_signal(signal.SIGTERM)
    working.send_signal(signal.SIGINT)
    working.send_signal(signal.SIGCONT)
    _, errors = working.communicate(timeout=120)
    assert working.returncode in (130, 143)
    assert "Traceback" not in errors
    assert ganblocks("resume", tmp_path / "run", "--quiet").returncode == 0
    assert final(tmp_path / "run") == final(whole)


def test_a_finished_run_is_left_as_it_is(whole: Path) -> None:
    before, scores = final(whole), (whole / "scores.json").read_bytes()
    done = ganblocks("resume", whole, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stderr
    assert f"to train longer: ganblocks resume {whole} --images 3200" in done.stderr
    assert final(whole) == before
    assert (whole / "scores.json").read_bytes() == scores


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    working: subprocess.Popen[str], whole: Path, tmp_path: Path
) -> None:
    working.kill()
    working.communicate()
    newest = sorted((tmp_path / "run" / "checkpoints").glob("images-*"))[-1]
    (newest / "updater.safetensors").write_bytes(b"")
    done = ganblocks("resume", tmp_path / "run", "--quiet")
    assert done.returncode == 0, done.stderr
    assert f"warning: {newest}/updater.safetensors: " in done.stderr
    assert "Warning" not in done.stderr, "no word of Python's"
    assert final(tmp_path / "run") == final(whole)


def test_a_run_killed_before_its_first_checkpoint_is_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "a run"
    words = ["run", str(RECIPE), "--out", str(folder), *LONG, "--set", "training.images=240"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ganblocks", *words, "--set", "training.checkpoint_every=240"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 120
    while not (folder / "recipe.toml").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not list((folder / "checkpoints").iterdir())
    again = ganblocks(*words)
    assert again.returncode == 2
    (command,) = re.findall("ganblocks (resume .*?), or", again.stderr)
    done = ganblocks(*shlex.split(command), "--quiet")
    assert done.returncode == 0, done.stderr
    assert "from the beginning" in done.stderr
    (longer,) = re.findall("to train longer: ganblocks (.*)", done.stderr)
    more = ganblocks(*shlex.split(longer), "--quiet")
    assert more.returncode == 0, more.stderr
    assert logged(folder)[-1]["images"] == 480


def test_where_there_is_nothing_to_resume(tmp_path: Path) -> None:
    done = ganblocks("resume", tmp_path / "absent")
    assert done.returncode == 3
    assert "recipe.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_exact_refuses_a_run_of_other_versions(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "fixtures" / "run-of-format-1", tmp_path / "run")
    done = ganblocks("resume", tmp_path / "run", "--exact")
    assert done.returncode == 3, done.stderr
    assert "would not be bit-exact: " in done.stderr
    assert read_metrics(tmp_path / "run") == read_metrics(ROOT / "tests" / "fixtures" / "run-of-format-1")
