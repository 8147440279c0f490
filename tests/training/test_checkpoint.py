"""Checkpoints: whole or absent, without pickle, and every piece comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ganblocks import CheckpointError
from ganblocks.training import checkpoint as module
from ganblocks.training.checkpoint import (
    Checkpoint,
    join_tensors,
    latest,
    load_checkpoint,
    load_tensors,
    save_checkpoint,
    split_tensors,
)

leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))
states = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), inner, max_size=3),
    ),
    max_leaves=12,
)


def example(images: int = 640) -> Checkpoint:
    parameter = nn.Parameter(torch.randn(3))
    optimizer = torch.optim.Adam([parameter], betas=(0.0, 0.9))
    parameter.grad = torch.ones(3)
    optimizer.step()
    tensors = {"a.weight": torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last)}
    return Checkpoint(
        images, images // 64, {"discriminator": images, "generator": images}, tensors, tensors, optimizer.state_dict()
    )


@given(state=states)
def test_plain_values_of_any_shape_survive_json(state: object) -> None:
    plain = json.loads(json.dumps(split_tensors(state, {})))
    assert join_tensors(plain, {}) == state


def test_an_optimizer_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved = example()
    folder = save_checkpoint(tmp_path, saved)
    facts = json.loads((folder / "state.json").read_text())
    assert facts["images_seen"] == 640
    restored = join_tensors(facts["updater"], load_tensors(folder, "updater"))
    assert restored["param_groups"] == saved.updater["param_groups"]
    state = saved.updater["state"][0]
    assert restored["state"].keys() == {0}
    assert all(torch.equal(restored["state"][0][name], value) for name, value in state.items())
    torch.testing.assert_close(load_tensors(folder, "game")["a.weight"], saved.game["a.weight"], rtol=0, atol=0)


def test_counts_and_seconds_come_back(tmp_path: Path) -> None:
    saved = attrs.evolve(example(), seconds=12.5, rollbacks=2)
    found = load_checkpoint(save_checkpoint(tmp_path, saved))
    assert (found.images_seen, found.step, found.drawn) == (saved.images_seen, saved.step, saved.drawn)
    assert (found.seconds, found.rollbacks) == (12.5, 2)


def test_only_safetensors_and_json_are_written_and_nothing_is_left_over(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, example())
    assert sorted(p.name for p in folder.iterdir()) == [
        "average.safetensors",
        "game.safetensors",
        "manifest.json",
        "state.json",
        "updater.safetensors",
    ]
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]


def test_the_newest_is_found_and_old_ones_go(tmp_path: Path) -> None:
    for images in (640, 12_800, 64_000):
        save_checkpoint(tmp_path / "checkpoints", example(images))
    assert latest(tmp_path).name == "images-0000064000"
    assert len(list((tmp_path / "checkpoints").iterdir())) == module.KEPT


def test_a_failed_save_leaves_the_last_checkpoint_and_no_debris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / "checkpoints", example(640))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_files", full)
    with pytest.raises(CheckpointError, match="no space left on the disk"):
        save_checkpoint(tmp_path / "checkpoints", example(1280))
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["images-0000000640"]


def test_saving_the_same_moment_twice_keeps_one(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, example())
    save_checkpoint(tmp_path, example())
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_missing_or_broken_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        latest(tmp_path)
    folder = save_checkpoint(tmp_path / "checkpoints", example())
    (folder / "average.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(CheckpointError, match=r"average\.safetensors"):
        load_tensors(folder, "average")
