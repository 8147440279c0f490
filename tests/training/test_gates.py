"""What is said of gated blocks at the end of a run."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.kinds.module_capabilities import AttentionMap, Gated
from ganblocks.training.gates import gates
from ganblocks.training.health import read_health
from tests.cli.commands import ROOT, ganblocks, tiny


class Block(nn.Module, Gated, AttentionMap):
    """y = x + γ x, and a map that looks at one place, or at all."""

    def __init__(self, gamma: float, even: bool) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.tensor(gamma))
        self.even = even

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * x

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        places = x.shape[2] * x.shape[3]
        one = torch.full((places, places), 1 / places) if self.even else torch.eye(places)
        return one.expand(len(x), 1, -1, -1), (x.shape[2], x.shape[3])


@pytest.mark.parametrize(("gamma", "even"), [(0.0, False), (0.5, False), (-0.5, True), (1.0, True)])
def test_the_change_is_that_of_the_block_and_evenness_that_of_its_map(gamma: float, even: bool) -> None:
    network = nn.Sequential(nn.Identity(), Block(gamma, even)).train()
    (gate,) = gates("generator", network, torch.randn(4, 2, 3, 3))
    assert (gate.path, gate.gamma) == ("generator.1", gamma)
    assert math.isclose(gate.change, abs(gamma), rel_tol=1e-5, abs_tol=1e-9)
    assert gate.map is not None
    assert math.isclose(gate.map.evenness.mean, float(even), abs_tol=1e-5)
    assert ("has almost no effect yet" in gate.summary()) == (gamma == 0)
    assert ("it only averages" in gate.summary()) == (gamma != 0 and even)
    assert network.training


class Windows(Block):
    """A map whose queries look at two of nine places, evenly or not."""

    def keys_seen(self) -> int:
        return 2

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        one = torch.zeros(9, 9)
        one[:, :2] = torch.tensor([0.5, 0.5] if self.even else [0.99, 0.01])
        return one.expand(len(x), 2, -1, -1), (3, 3)


@pytest.mark.parametrize("even", [True, False])
def test_a_map_is_even_over_the_keys_that_its_queries_see(even: bool) -> None:
    (gate,) = gates("generator", nn.Sequential(Windows(1.0, even)), torch.randn(4, 2, 3, 3))
    assert gate.map is not None
    expected = 1.0 if even else -(0.99 * math.log(0.99) + 0.01 * math.log(0.01)) / math.log(2)
    assert math.isclose(gate.map.evenness.mean, expected, abs_tol=1e-5)
    assert ("it only averages" in gate.summary()) == even


class Pooled(Block):
    """Has a map with a key for each four places."""

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        height, width = x.shape[2] // 2, x.shape[3] // 2
        return torch.full((len(x), 1, 4 * height * width, height * width), 1 / (height * width)), (height, width)


def test_the_largest_entropy_is_that_of_the_keys() -> None:
    (gate,) = gates("generator", nn.Sequential(Pooled(1.0, True)), torch.randn(4, 2, 4, 6))
    assert gate.map is not None
    assert gate.map.evenness.mean == pytest.approx(1.0)


def test_looking_changes_nothing() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2), Block(1.0, False)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    gates("generator", network, torch.randn(4, 2, 3, 3))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network[1]._forward_hooks


def test_a_run_says_which_of_its_blocks_hardly_act(tmp_path: Path) -> None:
    done = ganblocks("run", "recipes/sagan.toml", "--out", tmp_path / "run", "--quiet", *tiny())
    assert done.returncode == 0, done.stderr
    assert "generator.block1.attention: γ = " in done.stderr
    assert "has almost no effect yet" in done.stderr
    paths = {gate["path"] for gate in read_health(tmp_path / "run")["gates"]}
    assert paths == {"generator.block1.attention", "discriminator.block1.attention"}


def test_a_run_says_nothing_of_blocks_that_act(tmp_path: Path) -> None:
    recipe = read_recipe(
        ROOT / "tests" / "fixtures" / "study.toml",
        {"*.attention": {"use": "residual", "gamma": 1.0}, "training.images": 16, "evaluation.n": 8},
    )
    public.run(recipe, tmp_path / "run", "cpu")
    found = read_health(tmp_path / "run")["gates"]
    assert len(found) == 2
    assert not any(gate["words"] for gate in found)
