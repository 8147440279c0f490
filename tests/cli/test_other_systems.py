"""What only Linux and macOS have is taken away, as it is absent on Windows: everything still works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganblocks.errors import CheckpointError
from ganblocks.training.reading import read_plain
from ganblocks.training.run_folder import open_to_append
from tests.cli.commands import ROOT

ABSENT = ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "O_SYNC", "getloadavg", "statvfs", "getuid", "fork", "uname")
POORER = """
import json, os, shutil, signal, sys, types
import filelock, torch, torch.utils.data
import torch._inductor.codecache  # has code for Linux that needs what is taken away below

absent, commands = json.loads(sys.argv[1])
for module, names in ((os, absent), (signal, ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGALRM"))):
    poorer = types.ModuleType(module.__name__)
    vars(poorer).update({name: value for name, value in vars(module).items() if name not in names})
    sys.modules[module.__name__] = poorer

def files_only(path, *rest, **named):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    return os.open(path, *rest, **named)

sys.modules["os"].open = files_only
from ganblocks.cli import main

for command in commands:
    if command[0] == "forget":
        shutil.rmtree(command[1])
    elif main(command):
        sys.exit("failed: " + " ".join(command))
"""
"""A process in which what is imported from now on lacks names and cannot open folders; commands are run there in turn."""


def test_a_run_is_made_resumed_and_sampled_from_without_them(tmp_path: Path) -> None:
    run, grid = str(tmp_path / "run"), tmp_path / "grid.png"
    options = {"training.images": "32", "training.batch": "8", "training.checkpoint_every": "16"}
    sets = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
    commands = [
        ["run", str(ROOT / "tests" / "fixtures" / "study.toml"), "--out", run, "--device", "cpu", *sets],
        ["forget", f"{run}/checkpoints/images-0000000032"],
        ["resume", run],
        ["sample", run, "--n", "4", "--out", str(grid)],
    ]
    words = [sys.executable, "-c", POORER, json.dumps([ABSENT, commands])]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert grid.is_file()
    assert not [line for line in (tmp_path / "run" / "metrics.jsonl").read_bytes().splitlines(True) if line.endswith(b"\r\n")]


@pytest.fixture
def poorer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ABSENT[:4]:
        monkeypatch.delattr(os, name)


@pytest.mark.usefixtures("poorer")
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_refused_without_the_flags_too(tmp_path: Path, kind: str) -> None:
    """And without waiting for whoever might write into a pipe."""
    place, other = tmp_path / "metrics.jsonl", tmp_path / "other"
    other.write_text("untouched")
    {"link": lambda: place.symlink_to(other), "pipe": lambda: os.mkfifo(place), "folder": place.mkdir}[kind]()
    for use in (lambda: read_plain(place, 100), lambda: open_to_append(place)):
        with pytest.raises(CheckpointError, match=r"metrics\.jsonl: is no plain file"):
            use()
    assert other.read_text() == "untouched"


@pytest.mark.usefixtures("poorer")
def test_plain_files_are_read_and_written_without_the_flags(tmp_path: Path) -> None:
    for text in ("a\n", "b\n"):
        with open_to_append(tmp_path / "lines") as file:
            file.write(text)
    assert read_plain(tmp_path / "lines", 4) == b"a\nb\n"
    with pytest.raises(CheckpointError, match="4 bytes, and at most 3 are read"):
        read_plain(tmp_path / "lines", 3)
    with pytest.raises(CheckpointError, match="missing"):
        read_plain(tmp_path / "absent", 3)
