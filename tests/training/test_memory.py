"""Where memory runs out, the error says what to set instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ganblocks_losses.hinge import Hinge
from torch import Tensor

import ganblocks as public
from ganblocks.cli import main
from ganblocks.errors import OutOfMemory
from ganblocks.recipe import read_recipe
from tests.cli.commands import ROOT

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
        public.run(read_recipe(RECIPE, settings), tmp_path / "run", "cpu")
    assert "most memory for each image: " in str(caught.value)


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
