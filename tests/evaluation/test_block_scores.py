"""``evaluate --attention``: a generator without its blocks, and with maps that do not depend on the query."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganblocks import AppliesMap, Gated
from ganblocks.evaluation import EvaluationSettings
from ganblocks.evaluation.block_scores import OFF, QUERY_MEAN, TRAINED, block_scores, forms_of, replaced, with_query_mean
from ganblocks.evaluation.evaluator import Evaluator
from ganblocks.plugins import discover
from ganblocks.site import Site
from ganblocks.training.run import Run
from tests.cli.commands import ganblocks, tiny

REGISTRY = discover()
MAPPED = ("self_attention", "multi_head", "non_local", "linear", "windowed", "global_context")


def block(name: str) -> nn.Module:
    built: nn.Module = REGISTRY.create("attention", name, gamma=0.7).build(Site(channels=16, size=8, path="attention"))
    return built.double().eval()


@pytest.mark.parametrize("name", MAPPED)
@torch.no_grad()
def test_with_the_query_mean_map_all_positions_get_the_same(name: str) -> None:
    """The block adds one vector to every position: that of the mean of its own map over the queries."""
    module, x = block(name), torch.randn(2, 16, 8, 8, dtype=torch.float64)
    with replaced(module, with_query_mean):
        added = module(x) - x
    assert (added - added.mean((2, 3), keepdim=True)).abs().max() < 1e-9
    assert added.abs().max() > 1e-3
    unchanged = (module(x) - x - added).abs().max() < 1e-9
    assert unchanged == (name == "global_context"), "only the map of the global context is the same for all queries"


@torch.no_grad()
def test_what_is_added_is_the_mean_of_what_is_added_without_it() -> None:
    """For self-attention: out(mean of maps × values) is the mean over positions of out(map × values)."""
    module, x = block("self_attention"), torch.randn(2, 16, 8, 8, dtype=torch.float64)
    own = module(x) - x
    with replaced(module, with_query_mean):
        mean = module(x) - x
    assert torch.allclose(mean, own.mean((2, 3), keepdim=True).expand_as(mean), atol=1e-9)


class Plain(nn.Module, Gated):
    """Gated, without a map."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma


def test_a_block_without_a_map_can_only_be_switched_off() -> None:
    module, x = Plain(), torch.randn(1, 2, 3, 3)
    ((form, replacement),) = forms_of(module)
    assert form == OFF
    with replaced(module, replacement):
        assert torch.equal(module(x), x)
    assert torch.equal(module(x), x + 1)
    assert not isinstance(module, AppliesMap)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose block acts: γ starts at 1."""
    folder = tmp_path_factory.mktemp("blocks") / "run"
    acting = {"generator.attention": "{ use = 'self_attention', gamma = 1.0 }", "evaluation.n": "64"}
    done = ganblocks("run", "recipes/sagan.toml", "--out", folder, "--quiet", "--no-score", *tiny(**acting))
    assert done.returncode == 0, done.stderr
    return folder


def test_a_generator_is_scored_with_and_without_its_block(run: Path) -> None:
    done = ganblocks("evaluate", run, "--attention", "--json", "--extractor", "pixels", "--metric", "kernel")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    path = "generator.block1.attention"
    assert [(block["path"], block["form"]) for block in report["blocks"]] == [("", TRAINED), (path, OFF), (path, QUERY_MEAN)]
    values = [block["scores"]["kd[pixels]"] for block in report["blocks"]]
    assert len(set(values)) == 3


def test_what_is_switched_off_has_no_effect(run: Path) -> None:
    """Its score is that of the same generator with γ = 0; and scoring leaves the generator as it was."""
    opened = Run.open(run, REGISTRY)
    dataset, sampler = opened.recipe.data.dataset, opened.sampler()
    settings = EvaluationSettings(
        metrics={"kernel": REGISTRY.create("metric", "kernel")},
        extractor=REGISTRY.create("feature_extractor", "pixels"),
        device="cpu",
        n=64,
    )
    evaluator = Evaluator(dataset.open(), dataset.describe(), settings, REGISTRY)
    before = {name: value.clone() for name, value in sampler.network.state_dict().items()}
    forms = {block.form: block.scores["kd[pixels]"] for block in block_scores(evaluator, sampler)}
    assert all(torch.equal(value, before[name]) for name, value in sampler.network.state_dict().items())
    with torch.no_grad():
        sampler.network.get_submodule("block1.attention").gamma.zero_()
    zero = [block.scores["kd[pixels]"] for block in block_scores(evaluator, sampler)]
    assert zero == pytest.approx([forms[OFF]] * 3, rel=1e-5)


def test_the_table_has_the_differences(run: Path) -> None:
    done = ganblocks("evaluate", run, "--attention", "--extractor", "pixels", "--metric", "kernel")
    assert done.returncode == 0, done.stderr
    assert "the generator" in done.stdout
    assert QUERY_MEAN in done.stdout
    kept = json.loads((run / "scores.json").read_text())[-1]
    assert len(kept["blocks"]) == 3


def test_what_has_no_block_is_refused(tmp_path: Path) -> None:
    done = ganblocks(
        "run", "recipes/sagan.toml", "--ablation", "none", "--out", tmp_path / "run", "--quiet", "--no-score", *tiny()
    )
    assert done.returncode == 0, done.stderr
    done = ganblocks("evaluate", tmp_path / "run", "--attention")
    assert done.returncode == 2
    assert "--attention: the generator has no attention block, and no gated one" in done.stderr


def test_batch_statistics_are_refused(run: Path) -> None:
    done = ganblocks("evaluate", run, "--attention", "--batch-norm", "batch")
    assert done.returncode == 2
    assert "leave --batch-norm out" in done.stderr
