"""A run folder of format 1, frozen: every later ganblocks opens it, samples from it, and goes on with it."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import torch

import ganblocks as public
from ganblocks.training.checkpoint import latest, load_checkpoint
from ganblocks.training.launch import resume
from ganblocks.training.run_folder import read_metrics
from tests.cli.commands import ROOT

FROZEN = ROOT / "tests" / "fixtures" / "run-of-format-1"
MANIFEST = "a5c341eb59a6cacff0be1f8aff7e61e40cec32eae7065eb7dd40b47a72150ab0"
"""Of the manifest, which has the sums of all else: nobody may freeze it anew."""


def test_it_is_the_one_that_was_frozen() -> None:
    content = (FROZEN / "checkpoints" / "images-0000000032" / "manifest.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == MANIFEST


def test_it_opens() -> None:
    checkpoint = load_checkpoint(latest(FROZEN))
    assert (checkpoint.images_seen, checkpoint.step) == (32, 4)
    assert checkpoint.drawn == {"generator": 32, "discriminator": 32}
    assert int(checkpoint.game["turns.generator"]) == 4
    assert checkpoint.updater["generator"]["updates"] == 4


def test_it_can_be_sampled_from() -> None:
    images = public.load(FROZEN).sample(4)
    assert images.shape == (4, 1, 8, 8)
    assert torch.isfinite(images).all()


def test_it_goes_on(tmp_path: Path) -> None:
    shutil.copytree(FROZEN, tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "provenance.json").read_bytes())
    (tmp_path / "run" / "provenance.json").write_text(json.dumps(facts | {"threads": 1}))  # two would wait for other tests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # versions differ by then
        resume(tmp_path / "run")
    assert latest(tmp_path / "run").name == "images-0000000064"
    assert [record["step"] for record in read_metrics(tmp_path / "run")] == list(range(1, 9))
