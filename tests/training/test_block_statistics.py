"""Blocks are examined during training without changing it, and a block that fails there stops nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from attrs import frozen
from torch import Tensor, nn

import ganblocks as public
from ganblocks import AttentionMap, Site, read_recipe
from ganblocks.cli.run import summary_lines
from ganblocks.errors import CheckpointError
from ganblocks.plugins import discover
from ganblocks.registry import Registry
from ganblocks.training.checkpoint import latest
from ganblocks.training.examples import evenly_spaced, row_classes
from ganblocks.training.health import read_health
from ganblocks.training.map_files import FOLDER
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"


class Attending(nn.Module, AttentionMap):
    """The identity, with a map that may raise or hold NaN, and that draws random numbers."""

    def __init__(self, trouble: str) -> None:
        super().__init__()
        self.trouble = trouble

    def forward(self, x: Tensor) -> Tensor:
        return x

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        if self.trouble == "raises":
            raise RuntimeError("no map today")
        count = x.shape[2] * x.shape[3]
        rows = torch.rand(len(x), 1, count, count).softmax(-1)
        return rows * (torch.nan if self.trouble == "nan" else 1.0), (x.shape[2], x.shape[3])


@frozen
class Troubled:
    """A block with a map that is in trouble."""

    trouble: str = "none"

    def build(self, site: Site) -> nn.Module:
        return Attending(self.trouble)


REGISTRY = discover().with_(Registry.of({"attention": {"troubled": Troubled}}))


def train(out: Path, attention: object, **more: object) -> list[dict[str, object]]:
    changes = {"*.attention": attention, "training.statistics_every": 16, "training.samples_every": 32, **more}
    public.run(read_recipe(RECIPE, changes, registry=REGISTRY), out, "cpu", registry=REGISTRY)
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def checkpoint_bytes(run: Path) -> dict[str, bytes]:
    """The tensors of the last checkpoint."""
    return {path.name: path.read_bytes() for path in latest(run).iterdir() if path.suffix == ".safetensors"}


def test_examining_blocks_does_not_change_a_run(tmp_path: Path) -> None:
    """The same weights as without a block, though its map draws random numbers when it is examined."""
    examined = train(tmp_path / "examined", {"use": "troubled"})
    plain = train(tmp_path / "plain", "none")
    assert checkpoint_bytes(tmp_path / "examined") == checkpoint_bytes(tmp_path / "plain")
    numbers = [name for name in examined[-1] if name.startswith("query_dependence/")]
    assert numbers == ["query_dependence/generator.block1.attention", "query_dependence/discriminator.block1.attention"]
    assert not [name for name in plain[-1] if name.startswith("query_dependence/")]
    assert [record["generator/loss"] for record in examined] == [record["generator/loss"] for record in plain]


def test_numbers_are_on_the_cadence_of_statistics(tmp_path: Path) -> None:
    records = train(tmp_path / "run", "self_attention")
    with_numbers = [record["images"] for record in records if "effect/generator.block1.attention" in record]
    assert with_numbers == [16, 32, 48, 64]


def test_a_map_that_raises_is_one_warning(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="no map today") as warned:
        records = train(tmp_path / "run", {"use": "troubled", "trouble": "raises"})
    messages = [str(warning.message) for warning in warned]
    assert len([message for message in messages if "blocks cannot be examined: RuntimeError: no map today" in message]) == 1
    assert len(records) == 8
    assert not (tmp_path / "run" / FOLDER).exists()
    assert any("attention maps cannot be written" in message for message in messages)


def test_a_map_of_nan_is_no_divergence(tmp_path: Path) -> None:
    records = train(tmp_path / "run", {"use": "troubled", "trouble": "nan"})
    assert len(records) == 8
    assert "query_dependence/generator.block1.attention" not in records[-1]
    assert records[-1]["effect/generator.block1.attention"] == 0.0


def test_maps_are_kept_whenever_a_grid_is_drawn(tmp_path: Path) -> None:
    train(tmp_path / "run", "self_attention")
    grids = [path.stem for path in sorted((tmp_path / "run" / "samples").iterdir())]
    assert [path.stem for path in sorted((tmp_path / "run" / FOLDER).iterdir())] == grids


def test_samples_are_evenly_spaced() -> None:
    assert evenly_spaced(108, 16).tolist() == [i * 108 // 16 for i in range(16)]
    assert evenly_spaced(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert row_classes(1000) == [i * 1000 // 16 for i in range(16)]


ESTIMATE = {"mean": 0.5, "margin": 0.1, "n": 16}
MAP = {
    "query_dependence": ESTIMATE,
    "evenness": ESTIMATE,
    "distance": ESTIMATE,
    "uniform_distance": 0.5,
    "colour_correlation": None,
    "nearness_correlation": ESTIMATE,
}
GATE = {"path": "generator.block1.attention", "gamma": 0.5, "change": 0.1, "map": MAP, "live": None, "words": ""}


def health(gate: dict[str, object], run: Path) -> Path:
    (run / "health.json").write_text(json.dumps({"events": [], "gates": [gate]}))
    return run


def test_what_blocks_do_is_read_back_and_said(tmp_path: Path) -> None:
    (line,) = summary_lines(read_health(health(GATE, tmp_path)))
    assert line == (
        "generator.block1.attention: γ = 0.5, changes its input by 10.0%; query dependence 0.5 ± 0.1, evenness 0.5 ± 0.1"
    )
    (line,) = summary_lines(read_health(health({**GATE, "map": None}, tmp_path)))
    assert line == "generator.block1.attention: γ = 0.5, changes its input by 10.0%"
    earlier = {"path": "g", "gamma": 0.0, "change": 0.0, "evenness": 0.9, "live": None, "words": "almost no effect"}
    assert summary_lines(read_health(health(earlier, tmp_path))) == ["almost no effect"]


@pytest.mark.parametrize(
    "change",
    [
        {"gamma": "large"},
        {"change": None},
        {"path": 3},
        {"map": []},
        {"map": {**MAP, "evenness": 0.5}},
        {"map": {**MAP, "distance": {**ESTIMATE, "mean": float("nan")}}},
        {"map": {**MAP, "nearness_correlation": {"mean": 1.0}}},
        {"map": {**MAP, "uniform_distance": "far"}},
    ],
)
def test_a_damaged_entry_of_health_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        read_health(health({**GATE, **change}, tmp_path))
