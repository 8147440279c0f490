"""Seconds until a score, what is kept of a file, and equal batch-norm statistics for both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmarks.quality import (
    MAIN,
    MIMICRY,
    NETWORKS,
    Comparison,
    comparison_rows,
    kept,
    reached,
    set_statistics,
    train_in_turn,
)
from benchmarks.settings import Settings
from ganblocks.kinds.module_capabilities import MixesSamples
from ganblocks.training.batch_statistics import estimate_statistics

CURVE = [(10, 1.0, 9.0), (20, 2.0, 5.0), (30, 3.0, 6.0), (40, 4.0, 3.0)]


@pytest.mark.parametrize(("score", "seconds"), [(9.5, 1.0), (9.0, 1.0), (7.0, 1.5), (5.0, 2.0), (4.5, 3.5), (2.9, None)])
def test_a_score_is_reached_on_the_line_between_two_points(score: float, seconds: float | None) -> None:
    assert reached(CURVE, score) == (None if seconds is None else pytest.approx(seconds))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=8), st.floats(0, 10), st.floats(0, 10))
def test_a_better_score_is_not_reached_sooner(values: list[float], one: float, other: float) -> None:
    curve = [(number, float(number), value) for number, value in enumerate(values)]
    worse, better = reached(curve, max(one, other)), reached(curve, min(one, other))
    assert better is None or (worse is not None and worse <= better)


def of(comparison: Comparison, side: str, seed: int, curve: list[Any], threads: int = 1) -> dict[str, Any]:
    return {"comparison": comparison.name, "side": side, "seed": seed, "threads": threads, "toy": False, "curve": curve}


def test_ratios_are_those_of_equal_seeds() -> None:
    def slower(factor: float) -> list[Any]:
        return [(images, factor * seconds, score) for images, seconds, score in CURVE]

    runs = [of(NETWORKS, "ours", 0, CURVE), of(NETWORKS, "ours", 1, slower(2)), of(NETWORKS, "ours", 2, [(40, 4.0, 9.9)])]
    runs += [of(NETWORKS, MIMICRY, seed, slower(4 + 12 * seed)) for seed in range(3)]
    rows = {row.name: row for row in comparison_rows(NETWORKS, runs)}
    ours = rows["equal networks: until kd 5: ours"]
    assert ours.over == MIMICRY
    assert ours.ratio is not None
    assert (ours.ratio.median, ours.ratio.n) == (pytest.approx(0.1875), 2)
    assert ours.note == "not reached by 1 of 3 seeds"
    assert rows[f"equal networks: until kd 5: {MIMICRY}"].ratio is None
    last = rows["equal networks: last kd: ours"].value
    assert last is not None
    assert last.median == 3.0


def test_a_side_that_never_gets_there_is_said() -> None:
    rows = comparison_rows(MAIN, [of(MAIN, "this commit", 0, [(60_000, 9.0, 5.0)])])
    assert [row.skipped for row in rows] == ["not reached after 60,000 images", ""]


def test_other_seeds_and_comparisons_are_kept_if_conditions_are_equal(tmp_path: Path) -> None:
    runs = [
        of(NETWORKS, "a", 0, CURVE),
        of(NETWORKS, "a", 1, CURVE),
        of(MAIN, "a", 1, CURVE),
        of(MAIN, "a", 2, CURVE, threads=2),
    ]
    out = tmp_path / "quality.json"
    out.write_text(json.dumps({"runs": runs}), encoding="utf-8")
    remaining = kept(Settings(threads=1, seed=1, out=out), NETWORKS)
    assert [(run["comparison"], run["seed"]) for run in remaining] == [(NETWORKS.name, 0), (MAIN.name, 1)]
    assert kept(Settings(out=tmp_path / "absent.json"), NETWORKS) == []


class Scripted:
    """A side whose scores are given."""

    def __init__(self, scores: list[float]) -> None:
        self.scores, self.seconds = scores, 0.0

    def train_until(self, images: int) -> None:
        self.seconds += 1.0

    def score(self) -> float:
        return self.scores.pop(0)


def test_training_ends_early_once_all_have_reached_the_score() -> None:
    short = Comparison("short", 10, 100, (4.0,), early=True)
    curves = train_in_turn({"a": Scripted([3.0] * 9), "b": Scripted([6.0, 5.0, 4.0] + [9.0] * 9)}, short, toy=False)
    assert [point[0] for point in curves["a"]] == [point[0] for point in curves["b"]] == [10, 20, 30]
    to_the_end = train_in_turn({"a": Scripted([3.0] * 10)}, Comparison("long", 10, 100, (4.0,)), toy=False)
    assert len(to_the_end["a"]) == 10


class Norm(nn.BatchNorm2d, MixesSamples):
    """torch's batch norm, known to ganblocks as one."""


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.first, self.second = nn.Linear(6, 12), Norm(3, momentum=0.3), Norm(3)

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        h: Tensor = self.first(self.linear(latent).view(-1, 3, 2, 2))
        y: Tensor = self.second(h.relu())
        return y


def test_statistics_of_torchs_norms_are_estimated_as_ours() -> None:
    def inputs(n: int) -> tuple[Tensor, None]:
        return torch.randn(n, 6, generator=torch.Generator().manual_seed(1)), None

    ours, theirs = Generator(), Generator()
    theirs.load_state_dict(ours.state_dict())
    assert estimate_statistics(ours, inputs)
    set_statistics(theirs, inputs)
    for name, buffer in ours.named_buffers():
        if "running" in name:
            torch.testing.assert_close(theirs.get_buffer(name), buffer)
    assert not any(module.training for module in theirs.modules())
