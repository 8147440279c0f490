"""Where memory runs out, the error says what to set instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ganblocks_losses.hinge import Hinge
from torch import Tensor

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.assembly import assemble
from ganblocks.cli import main
from ganblocks.errors import OutOfMemory
from ganblocks.training.memory import remedy
from tests.cli.commands import ROOT

ALONE = {"generator.norm": "none", "generator.final_norm": "none"}
"""No sample is normalised by others: microbatches add up."""
RECIPE = ROOT / "tests" / "fixtures" / "study.toml"


def too_much(self: Hinge, real: Tensor | None, fake: Tensor) -> Tensor:
    return torch.empty(2**60)


def on_the_device(self: Hinge, real: Tensor | None, fake: Tensor) -> Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("fail", [too_much, on_the_device])
@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({}, "out of memory with 8 images of 1 x 8 x 8 at once in fp32; --set training.microbatch=4 adds up"),
        ({"training.microbatch": 4}, "out of memory with 4 images .*; --set training.microbatch=2 adds up"),
        ({"training.batch": 9}, "out of memory with 9 images .*; --set training.microbatch=3 adds up"),
        ({"training.microbatch": 1}, "out of memory with 1 images .*; only smaller images or narrower networks need less"),
    ],
    ids=str,
)
def test_it_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail: Any, settings: dict[str, int], advice: str
) -> None:
    monkeypatch.setattr(Hinge, "for_generator", fail)
    with pytest.raises(OutOfMemory, match=advice) as caught:
        public.run(read_recipe(RECIPE, ALONE | settings), tmp_path / "run", "cpu")
    assert "most memory for each image: " in str(caught.value)


MEETING: list[tuple[dict[str, Any], str]] = [
    (
        {"generator.norm": "batch"},
        "--set training.microbatch=4 needs less, but changes training: the generator's BatchNorm then",
    ),
    (
        {"loss": "relativistic_average"},
        "training.microbatch=4 needs less, .*: loss relativistic_average then couples 4 samples",
    ),
    (
        {"discriminator.conditioning": "data_to_data"},
        "changes training: conditioning data_to_data then couples .* instead of 8",
    ),
    ({"penalties.dragan": {"weight": 1.0}}, "changes training: penalty dragan then couples 4 samples"),
    ({"loss": "relativistic_average", "training.microbatch": 2}, "only smaller images or narrower networks need less"),
    ({"loss": "relativistic_average", "training.batch": 3}, "only smaller images or narrower networks need less"),
    (
        {"update": {"use": "consensus", **{player: {"use": "sgd", "rate": 0.1} for player in ("generator", "discriminator")}}},
        "only a smaller training.batch, .*: consensus takes the whole batch at once",
    ),
]


@pytest.mark.parametrize(("settings", "advice"), MEETING, ids=str)
def test_it_does_not_call_another_training_the_same(settings: dict[str, Any], advice: str) -> None:
    session = assemble(read_recipe(RECIPE, ALONE | settings), public.discover())
    assert re.search(advice, remedy(session)), remedy(session)


def test_the_command_line_shows_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Hinge, "for_generator", too_much)
    assert main(["run", str(RECIPE), "--out", str(tmp_path / "run"), "--quiet"]) == 1
    printed = capsys.readouterr().err
    assert "error: out of memory" in printed
    assert "Traceback" not in printed


def test_other_errors_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hinge, "for_generator", lambda self, real, fake: fake @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
        public.run(read_recipe(RECIPE), tmp_path / "run", "cpu")
