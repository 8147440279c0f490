"""One cell: the command that runs it, what counts as finished, and what becomes of what a killed one has left."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch

import ganblocks as public
from ganblocks.devices import computes_in_bf16
from ganblocks.errors import UsageError
from ganblocks.study.cells import DIVERGED, Runner, StudyFolder, result_of
from ganblocks.study.plan import Cell, Plan, plan
from ganblocks.training.checkpoint import Checkpoint, save_checkpoint
from tests.cli.commands import ROOT

STUDY = ROOT / "tests" / "fixtures" / "study.toml"


@pytest.fixture(scope="module")
def wanted() -> Plan:
    return plan(STUDY, ["attention"], [0, 3], {}, public.discover())


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(StudyFolder(tmp_path), ["-p", "no:data"], "cpu", 1, print, public.discover())


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_a_command_says_all_that_its_cell_is(wanted: Plan, runner: Runner, tmp_path: Path) -> None:
    commands = {cell.name: runner.command(cell) for cell in wanted.cells()}
    assert list(commands) == ["baseline, seed 0", "attention, seed 0", "baseline, seed 3", "attention, seed 3"]
    command = commands["attention, seed 3"]
    assert command[3:7] == ["-p", "no:data", "run", str(tmp_path / "recipes" / "attention.toml")]
    assert (option(command, "--seed"), option(command, "--device")) == ("3", "cpu")
    assert option(command, "--out") == str(tmp_path / "cells" / "attention" / "seed-3")
    assert option(commands["baseline, seed 0"], "--seed") == "0"


def finished(cell: Cell, digest: str, folder: StudyFolder) -> None:
    """As versions wrote it that did not say what a step sees."""
    folder.result(cell).parent.mkdir(parents=True)
    result = {"diverged": True, "step_seconds": 0.5, "reports": []}
    folder.result(cell).write_text(json.dumps({"recipe": digest, "result": result}))


def test_only_a_cell_of_the_very_recipe_has_finished(wanted: Plan, runner: Runner) -> None:
    one, other = list(wanted.cells())[:2]
    assert result_of(one, runner.folder) is None
    finished(one, one.variant.digest, runner.folder)
    found = result_of(one, runner.folder)
    assert found is not None
    assert (found.diverged, found.step_seconds, found.step_images) == (True, 0.5, None)
    finished(other, one.variant.digest, runner.folder)
    with pytest.raises(UsageError, match="has run another recipe"):
        result_of(other, runner.folder)


@pytest.mark.parametrize("turns", [1, 2])
def test_what_a_step_sees_is_read_from_the_run_and_kept(runner: Runner, turns: int) -> None:
    registry = public.discover()
    study = plan(STUDY, ["attention"], [0], {"update.discriminator_steps": turns, "evaluation.n": 8}, registry)
    cell = next(study.cells())
    public.run(cell.variant.recipe, runner.folder.run(cell), "cpu", 0, registry)
    runner._end(cell, 0.0, DIVERGED)
    found = result_of(cell, runner.folder)
    assert found is not None
    assert found.step_images == 8 * turns
    assert found.step_seconds is not None


def started(runner: Runner, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command that starting a cell gives to the system."""
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: commands.append(command))
    runner._start(cell)
    (command,) = commands
    return command


def test_what_a_killed_cell_has_left_is_gone(wanted: Plan, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = next(wanted.cells())
    left = runner.folder.run(cell) / "samples" / "left.png"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"")
    assert "run" in started(runner, cell, monkeypatch)
    assert not left.exists()


@pytest.mark.parametrize("same", [True, False])
def test_a_killed_cell_goes_on_from_its_checkpoint_if_the_recipe_is_the_same(
    wanted: Plan, runner: Runner, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    cell = next(wanted.cells())
    folder = runner.folder.run(cell)
    save_checkpoint(folder / "checkpoints", Checkpoint(8, 1, {}, {"a": torch.ones(1)}, {}, {}))
    (folder / "recipe.toml").write_text(cell.variant.text if same else "title = 1")
    command = started(runner, cell, monkeypatch)
    assert ("resume" in command) == same
    assert folder.exists() == same


def test_a_cell_whose_precision_was_settled_goes_on(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its run folder says "bf16" or "fp32" where the variant says "auto"."""
    registry = public.discover()
    few = {"training.precision": "auto", "training.images": 8, "evaluation.n": 8}
    cell = next(plan(STUDY, ["attention"], [0], few, registry).cells())
    folder = runner.folder.run(cell)
    public.run(cell.variant.recipe, folder, "cpu", 0, registry)
    assert (folder / "recipe.toml").read_text() != cell.variant.text
    assert "resume" in runner.command(cell)
    assert "resume" in started(runner, cell, monkeypatch)
    assert (folder / "checkpoints").exists()
    monkeypatch.setattr("ganblocks.devices.computes_in_bf16", lambda device: not computes_in_bf16(device))
    assert "run" in started(runner, cell, monkeypatch), "what another machine began in another precision is another run"
    assert not folder.exists()
