"""Deterministic kernels: asked for by a recipe, missed before the first step, given back afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ganblocks_losses.hinge import Hinge
from torch import Tensor

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.assembly import assemble
from ganblocks.errors import RecipeError
from ganblocks.plugins import discover
from ganblocks.training.determinism import deterministic, rehearse
from ganblocks.training.run_folder import read_metrics
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"
EVERYTHING = {"*.attention": "self_attention", "*.weight_norm": "spectral", "discriminator.augment": "ada"}
PENALTIES = {"penalties.lecam": {"weight": 0.1}, "penalties.r1": {"weight": 0.1, "every": 3}}


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_it_holds_within_the_block_only(wanted: bool, before: bool) -> None:
    torch.use_deterministic_algorithms(before, warn_only=True)
    try:
        with deterministic(wanted):
            assert torch.are_deterministic_algorithms_enabled() == (wanted or before)
            assert torch.is_deterministic_algorithms_warn_only_enabled() == (not wanted)
        assert torch.are_deterministic_algorithms_enabled() == before
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_rehearsal_changes_nothing() -> None:
    session = assemble(read_recipe(RECIPE, EVERYTHING | PENALTIES), discover())
    state = {name: value.clone() for name, value in session.game.state_dict().items()}
    drawn, random = dict(session.batches.drawn), torch.get_rng_state()
    rehearse(session)
    after = session.game.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in state.items())
    assert session.batches.drawn == drawn
    assert torch.equal(torch.get_rng_state(), random)
    assert all(parameter.grad is None for network in session.game.networks.values() for parameter in network.parameters())


def test_a_deterministic_run_is_the_same_run_where_all_kernels_are(tmp_path: Path) -> None:
    logs = []
    for wanted in (True, False):
        folder = tmp_path / str(wanted)
        public.run(read_recipe(RECIPE, EVERYTHING | PENALTIES | {"training.deterministic": wanted}), folder, "cpu")
        logs.append([{name: value for name, value in each.items() if name != "seconds"} for each in read_metrics(folder)])
    assert logs[0] == logs[1]
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_has_no_deterministic_kernel_is_named_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(self: Hinge, real: Tensor | None, fake: Tensor) -> Tensor:
        torch.zeros(2).put_(torch.tensor([0]), torch.ones(1))
        return -fake.mean()

    monkeypatch.setattr(Hinge, "for_generator", without)
    rule = r"training\.deterministic: put_, in the generator's turn, has no deterministic implementation on cpu"
    with pytest.raises(RecipeError, match=rule):
        public.run(read_recipe(RECIPE, {"training.deterministic": True}), tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()
    public.run(read_recipe(RECIPE), tmp_path / "run", "cpu")
