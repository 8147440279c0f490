"""A new run from another's weights: what fits is taken, what does not is named."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.assembly import assemble
from ganblocks.errors import CheckpointError
from ganblocks.recipe import Recipe
from ganblocks.training.checkpoint import latest, load_tensors
from ganblocks.training.initialising import start_from
from ganblocks.values import Player
from tests.cli.commands import ROOT

DIGITS = tuple("0123456789")


def recipe(**overrides: Any) -> Recipe:
    return read_recipe(ROOT / "tests" / "fixtures" / "study.toml", {"*.weight_norm": "spectral", **overrides})


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other") / "run"
    public.run(recipe(), folder, "cpu", seed=1)
    return folder


def test_the_same_recipe_takes_everything(other: Path) -> None:
    session = assemble(recipe(), public.discover(), seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        facts = start_from(session, other, DIGITS)
    theirs = load_tensors(latest(other), "game")
    for player, network in session.game.networks.items():
        for name, parameter in network.named_parameters():
            assert torch.equal(parameter, theirs[f"{player}.{name}"])
    means = {name: buffer for name, buffer in session.game.networks[Player.GENERATOR].named_buffers() if "running" in name}
    assert means
    assert all(torch.equal(mean, theirs[f"generator.{name}"]) for name, mean in means.items())
    assert facts["tensors"] == sum(len(network.state_dict()) for network in session.game.networks.values())
    assert facts["checkpoint"] == "images-0000000064"


def test_what_does_not_fit_starts_anew_and_is_named(other: Path) -> None:
    wanted = recipe(**{"*.attention": "self_attention"})
    session, fresh = (assemble(wanted, public.discover(), seed=2) for _ in range(2))
    with pytest.warns(UserWarning, match=r"of the discriminator start anew: block1\.attention"):
        start_from(session, other, DIGITS)
    theirs = load_tensors(latest(other), "game")
    for player, network in session.game.networks.items():
        own = dict(fresh.game.networks[player].named_parameters())
        for name, parameter in network.named_parameters():
            expected = own[name] if ".attention." in name else theirs[f"{player}.{name}"]
            assert torch.equal(parameter, expected), name


def test_estimates_belong_to_the_weights_that_were_taken(other: Path) -> None:
    session = assemble(recipe(**{"discriminator.width": 16}), public.discover())
    with pytest.warns(UserWarning, match="start anew"):
        start_from(session, other, DIGITS)
    for network in session.game.networks.values():
        for module in network.modules():
            if hasattr(module, "sigma"):
                weight = module.layer.weight.detach()
                exact = torch.linalg.matrix_norm(weight.flatten(1), 2)
                assert abs(float(module.sigma().detach() / exact) - 1) < 0.05


def test_where_there_is_no_run(other: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint here"):
        start_from(assemble(recipe(), public.discover()), other.parent)


def test_a_run_of_nothing_alike_is_refused(other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = assemble(recipe(), public.discover())
    monkeypatch.setattr("ganblocks.training.initialising.load_tensors", lambda *_: {"generator.other": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="no weight fits"), pytest.warns(UserWarning, match="start anew"):
        start_from(session, other, DIGITS)


def test_a_run_says_where_it_started_from(other: Path, tmp_path: Path) -> None:
    public.run(recipe(), tmp_path / "run", "cpu", seed=3, init_from=other)
    facts = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert facts["init_from"]["run"] == str(other)
