"""Each benchmark runs by its one command, at toy size and without peers; no time is compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import NAMES
from benchmarks.earlier import EarlierIteration, checked_out
from benchmarks.workloads import WORKLOADS, Iteration, PeerMissing, mimicry_version, peers

ROOT = Path(__file__).parents[2]
BESIDE_PEERS = ("iteration", "products", "memory", "sample", "quality")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "GANBLOCKS_PEERS"}
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, check=False)


def toy(name: str, out: Path) -> dict[str, Any]:
    done = run(name, "--toy", "--threads", "1", "--seeds", "0", "--out", str(out))
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return result


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_runs_and_says_under_which_conditions(name: str, tmp_path: Path) -> None:
    result = toy(name, tmp_path / f"{name}.json")
    assert result["benchmark"] == name
    assert result["toy"] is True
    assert result["threads"] == 1
    assert {"cpu", "cores", "memory_gb"} <= set(result["machine"])
    assert {"Python", "torch", "ganblocks"} <= set(result["versions"])
    assert any("value" in row for row in result["rows"])
    assert all("value" in row or "ratio" in row or "skipped" in row for row in result["rows"])
    missing = [row for row in result["rows"] if "GANBLOCKS_PEERS" in row.get("skipped", "")]
    assert bool(missing) == (name in BESIDE_PEERS)


def test_a_folder_without_the_peer_is_said_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBLOCKS_PEERS", str(tmp_path))
    with pytest.raises(PeerMissing, match="not installed in GANBLOCKS_PEERS: pip install"):
        peers()
    assert mimicry_version() == {}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a copy of the tree has no commits")
def test_an_earlier_commit_runs_in_a_process_of_its_own() -> None:
    with checked_out("HEAD") as folder, EarlierIteration(folder, "S32", "fp32", threads=1, toy=True) as then:
        then()
        assert then.parameters == Iteration(WORKLOADS["S32"].recipe("fp32", toy=True)).parameters


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a copy of the tree has no commits")
def test_quality_adds_a_comparison_to_its_file(tmp_path: Path) -> None:
    out = tmp_path / "quality.json"
    before = {"comparison": "equal networks", "side": "a", "seed": 0, "threads": 1, "toy": True, "curve": [[4, 1.0, 9.0]]}
    out.write_text(json.dumps({"runs": [before]}), encoding="utf-8")
    done = run("quality", "--toy", "--threads", "1", "--out", str(out), "--seeds", "1", "--against", "HEAD")
    assert done.returncode == 0, done.stderr
    first, *added = json.loads(out.read_text(encoding="utf-8"))["runs"]
    assert first == before
    assert [(run["comparison"], run["seed"]) for run in added] == [("recipes/sagan.toml", 1)] * 2
    assert all([point[0] for point in run["curve"]] == [4, 8] for run in added)
