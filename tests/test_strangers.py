"""A package outside this repository: installed as a user would, listed, and run by one --set; nothing else moves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import ganblocks as public
from ganblocks.assembly import build_game
from tests.cli.commands import ROOT, TINY, ganblocks, tiny

FIXTURE = ROOT / "tests" / "fixtures" / "acme-blocks"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("acme")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*pip, str(folder), str(FIXTURE)], check=True, capture_output=True)
    return folder


def test_a_block_takes_at_most_thirty_lines() -> None:
    assert sum(len(path.read_text().splitlines()) for path in FIXTURE.rglob("*.py")) <= 30


def test_it_is_listed_shown_and_run(site: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(site)}
    listed = ganblocks("list", "attention", environment=environment)
    assert "acme_block" in listed.stdout
    assert "acme-blocks 1.2" in listed.stdout
    assert "squeeze" in ganblocks("show", "attention", "acme_block", environment=environment).stdout
    run = tmp_path / "run"
    arguments = ("run", "recipes/sagan.toml", "--out", run, "--set", "*.attention=acme_block", *tiny())
    done = ganblocks(*arguments, environment=environment)
    assert done.returncode == 0, done.stderr
    assert '"acme-blocks"' in (run / "provenance.json").read_text()
    weights = load_file(sorted(run.glob("checkpoints/*/game.safetensors"))[-1])
    assert "generator.block1.attention.tilt" in weights
    assert "discriminator.block1.attention.tilt" in weights
    sampled = ganblocks("sample", run, "--n", "4", environment=environment)
    assert sampled.returncode == 0, sampled.stderr
    without = ganblocks("sample", run, "--n", "4")
    assert without.returncode == 3
    assert "acme_block" in without.stderr


@pytest.mark.statement(21, 103)
@pytest.mark.parametrize("block", ["residual", "none", "acme_block"])
def test_a_swap_leaves_every_other_initial_value_bit_equal(site: Path, block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    registry = public.discover()
    overrides = {"training.images": 64, "generator.width": 8, "discriminator.width": 8}

    def initial(**more: object) -> dict[str, torch.Tensor]:
        recipe = public.read_recipe(ROOT / "recipes" / "sagan.toml", overrides=overrides | more, registry=registry)
        return build_game(recipe, recipe.data.dataset.describe(), seed=3).state_dict()

    torch.manual_seed(1)
    baseline = initial()
    torch.manual_seed(2)
    swapped = initial(**{"*.attention": block})
    others = {name for name in baseline if ".attention." not in name}
    assert others == {name for name in swapped if ".attention." not in name}
    assert len(others) > 100
    assert all(torch.equal(baseline[name], swapped[name]) for name in others)
    assert all(torch.equal(value, initial(**{"*.attention": block})[name]) for name, value in swapped.items())


def test_the_tiny_recipe_is_the_shipped_one_but_for_its_size() -> None:
    assert not any(path.startswith(("loss", "update", "generator.attention.", "discriminator.attention.")) for path in TINY)
