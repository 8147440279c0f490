"""Which precision a run has, and that its folder says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import ganblocks as public
from ganblocks import devices, read_recipe
from ganblocks.assembly import assemble
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_what_the_device_computes_in(monkeypatch: pytest.MonkeyPatch, native: bool, expected: str) -> None:
    monkeypatch.setattr(devices, "computes_in_bf16", lambda device: native)
    wanted = read_recipe(RECIPE, {"training.precision": "auto"})
    assert devices.with_precision(wanted, "cpu").training.precision == expected
    assert assemble(wanted, public.discover()).game.precision == expected


@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
@pytest.mark.parametrize(("avx512", "amx"), [(False, False), (False, True), (True, False), (True, True)])
def test_on_a_processor_of_intel_s_kind_one_instruction_set_is_enough(
    monkeypatch: pytest.MonkeyPatch, machine: str, avx512: bool, amx: bool
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: amx)
    assert devices.computes_in_bf16(torch.device("cpu")) == (avx512 or amx)


@pytest.mark.parametrize("said", ["bf16", "fp32"])
def test_what_a_recipe_says_is_what_it_gets(said: str) -> None:
    wanted = read_recipe(RECIPE, {"training.precision": said})
    assert devices.with_precision(wanted, "cpu") is wanted


def test_the_run_folder_says_which(tmp_path: Path) -> None:
    """So that another machine goes on with it as it was."""
    wanted = read_recipe(RECIPE, {"training.precision": "auto", "training.images": 8, "evaluation.n": 8})
    public.run(wanted, tmp_path / "run", "cpu")
    expected = "bf16" if devices.computes_in_bf16(torch.device("cpu")) else "fp32"
    assert f'precision = "{expected}"' in (tmp_path / "run" / "recipe.toml").read_text()
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["device"] == "cpu"


def test_emulation_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganblocks.training.launch.computes_in_bf16", lambda device: False)
    wanted = read_recipe(RECIPE, {"training.precision": "bf16", "training.images": 8, "evaluation.n": 8})
    with pytest.warns(UserWarning, match="bfloat16 is emulated on this device"):
        public.run(wanted, tmp_path / "run", "cpu")
