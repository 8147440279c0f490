"""A diagnostic: called with the very latents of the samples, under a protocol without features."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
import tomli_w
import torch
from attrs import frozen
from torch import Tensor, nn

import ganblocks
from ganblocks import Sample, discover, read_recipe
from ganblocks.cli.evaluate import _metrics
from ganblocks.errors import RecipeError, UsageError
from ganblocks.evaluation import EvaluationSettings, Evaluator, Report, evaluation_settings
from ganblocks.recipe import recipe_from, table_of, write_recipe
from ganblocks.recipe.schema import Examination
from ganblocks.registry import Offer, Registry
from ganblocks.training.provenance import recorded
from ganblocks.training.run import Run
from ganblocks.training.sampler import Sampler
from tests.cli.commands import ROOT

SEEN: list[tuple[Tensor, Tensor | None, Tensor]] = []


@frozen
class Witness:
    """Remembers what it was called with, and says 7."""

    better: ClassVar[dict[str, str]] = {"seven": "higher"}

    def examine(
        self, generate: Callable[[Tensor, Tensor | None], Tensor], latent: Tensor, label: Tensor | None, seed: int
    ) -> dict[str, float]:
        SEEN.append((latent, label, generate(latent, label)))
        return {"seven": 7.0, "beside": float(seed)}


class Network(nn.Module):
    """The latent as an 8×8 image, darker or brighter by class."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(64))

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return (z @ self.weight / 4 + label[:, None] / 20).clamp(-1, 1).view(-1, 1, 8, 8)


def registry() -> Registry:
    return discover().with_(Registry([Offer("diagnostic", "witness", "mine", Witness)]))


def report(**options: object) -> Report:
    names = registry()
    dataset = names.create("dataset", "digits")
    parts = {"metrics": {"kernel": names.create("metric", "kernel")}, "diagnostics": {"witness": Witness()}}
    pixels = names.create("feature_extractor", "pixels")
    settings = EvaluationSettings(**{"extractor": pixels, **parts, "n": 30, "device": "cpu", **options})
    sampler = Sampler(Network(), 64, dataset.describe())
    return Evaluator(dataset.open(), dataset.describe(), settings, names).report(sampler, 0)


def test_it_sees_the_latents_and_classes_of_the_samples() -> None:
    SEEN.clear()
    report(seed=3, truncation=0.5)
    ((latent, label, image),) = SEEN
    assert latent.shape == (30, 64)
    assert latent.abs().max() <= 0.5
    dataset = discover().create("dataset", "digits")
    made = Sampler(Network(), 64, dataset.describe()).sample(30, label.tolist(), 3, 0.5)
    assert torch.equal(image, made)


def test_its_numbers_have_no_extractor_and_no_controls() -> None:
    found = {score.name: score for score in report(seed=5).scores}
    assert set(found) == {"seven", "beside", "kd[pixels]"}
    seven = found["seven"]
    assert (seven.value, seven.better, found["beside"].value, found["beside"].better) == (7.0, "higher", 5.0, "")
    assert (seven.held_out, seven.noise) == (None, None)
    assert {"real", "fake", "batch_norm", "truncation", "seed", "metric"} == set(seven.protocol)
    assert "features" in found["kd[pixels]"].protocol


@pytest.mark.parametrize(
    "change", [{"n": 20}, {"seed": 1}, {"truncation": 1.0}, {"batch_norm": "standing"}, {"weights": "live"}]
)
def test_what_changes_it_is_another_protocol(change: dict[str, object]) -> None:
    assert report().scores[-1].id != report(**change).scores[-1].id


def test_there_are_no_batch_statistics_of_one_sample() -> None:
    rule = r"witness examines single samples, .* --batch-norm moving or standing"
    (missing,) = report(batch_norm="batch").missing
    assert missing.names == ("seven",)
    assert re.match(rule, missing.reason)
    with pytest.raises(UsageError, match=rule):
        report(batch_norm="batch", metrics={})


def former() -> type:
    """A plugin's class of the previous version."""
    with pytest.warns(DeprecationWarning, match=r"ganblocks\.ExaminesGenerator is deprecated .* use ganblocks\.Diagnostic"):
        base = ganblocks.ExaminesGenerator

    @frozen
    class Former(Witness, base):  # type: ignore[misc, valid-type]
        """Offered as a metric."""

    return Former


def test_a_former_metric_that_examines_still_works() -> None:
    cls = former()
    with pytest.raises(NotImplementedError, match="Former examines a generator, not samples"):
        cls().score(Sample(torch.zeros(2, 2)), Sample(torch.zeros(2, 2)), 0)
    names = registry().with_(Registry([Offer("metric", "former", "mine", cls)]))
    dataset, pixels = names.create("dataset", "digits"), names.create("feature_extractor", "pixels")
    settings = EvaluationSettings(extractor=pixels, metrics={"former": cls()}, n=30, device="cpu")
    found = Evaluator(dataset.open(), dataset.describe(), settings, names).report(Sampler(Network(), 64, dataset.describe()), 0)
    assert [score.name for score in found.scores] == ["seven", "beside"]
    assert found.scores[0].protocol["metric"] == "former()"


RECIPE = ROOT / "tests" / "fixtures" / "study.toml"


def test_the_former_section_still_reads(tmp_path: Path) -> None:
    text = RECIPE.read_text()
    (tmp_path / "former.toml").write_text(text.replace("[evaluation.metrics.kernel]", FORMER_SECTION))
    (tmp_path / "now.toml").write_text(text.replace("[evaluation.metrics.kernel]", SECTION))
    now = read_recipe(tmp_path / "now.toml")
    with pytest.warns(DeprecationWarning, match=r"use \[evaluation\.diagnostics\.jacobian_condition\]"):
        assert read_recipe(tmp_path / "former.toml") == now
    with (
        pytest.warns(DeprecationWarning, match="diagnostics"),
        pytest.raises(RecipeError, match=r"jacobian_condition\.latents: must be at least 1"),
    ):
        read_recipe(tmp_path / "former.toml", {"evaluation.metrics.jacobian_condition.latents": 0})
    names = discover()
    table = table_of(now, names)
    table["evaluation"]["metrics"] |= table["evaluation"].pop("diagnostics")
    with pytest.warns(DeprecationWarning, match="diagnostics"):
        assert recipe_from(table, names) == now


SECTION = """[evaluation.diagnostics.jacobian_condition]
latents = 2
[evaluation.metrics.kernel]"""
FORMER_SECTION = SECTION.replace("diagnostics", "metrics")


def test_a_run_folder_of_the_former_section_opens_unchanged(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "tests" / "fixtures" / "run-of-format-1", tmp_path / "run")
    options = {"use": "jacobian_condition", "latents": 2, "floor": 1e-12}
    table = recorded(Run.open(folder).recipe, discover())
    table["evaluation"]["metrics"]["condition"] = options
    (folder / "recipe.toml").write_text(tomli_w.dumps(table))
    facts = json.loads((folder / "provenance.json").read_text())
    facts["recipe"] = table
    used = {"kind": "metric", "name": "jacobian_condition", "distribution": "ganblocks", "version": "0.1.0"}
    facts["components"]["evaluation.metrics.condition"] = used
    (folder / "provenance.json").write_text(json.dumps(facts))
    with pytest.warns(DeprecationWarning, match="diagnostics"):
        run = Run.open(folder)
    with pytest.warns(DeprecationWarning, match="diagnostics"):
        assert run.edits == ()
    assert run.recipe.evaluation is not None
    assert list(run.recipe.evaluation.diagnostics) == ["condition"]


def test_settings_are_the_recipe_s_and_defaults_only_where_it_names_nothing() -> None:
    names, base = discover(), read_recipe(RECIPE).evaluation
    assert base is not None
    condition = Examination(diagnostic=names.create("diagnostic", "jacobian_condition"))
    alone = evaluation_settings(attrs.evolve(base, metrics={}, diagnostics={"condition": condition}), names)
    assert (list(alone.metrics), list(alone.diagnostics), alone.explicit) == ([], ["condition"], True)
    usual = evaluation_settings(attrs.evolve(base, metrics={}), names)
    assert (list(usual.metrics), list(usual.diagnostics), usual.explicit) == (DEFAULTS, [], False)
    assert evaluation_settings(None, names).extractor == names.create("feature_extractor", "efficientnet_lite0")


DEFAULTS = ["kernel", "frechet", "precision_recall", "density_coverage", "inception_score"]


def test_a_resolved_recipe_names_the_default_extractor(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(re.sub(r"(?m)^extractor = .*\n", "", RECIPE.read_text()))
    for overrides in ({}, {"evaluation.n": 16}, {"evaluation.extractor": "default"}):
        text = write_recipe(read_recipe(tmp_path / "recipe.toml", overrides), discover())
        assert 'use = "efficientnet_lite0"' in text
        assert '"default"' not in text


def test_the_command_takes_a_diagnostic_for_a_metric() -> None:
    names = registry()
    chosen = _metrics(names, ["kernel", "witness", "{ use = 'jacobian:jacobian_condition', latents = 2 }"])
    assert list(chosen["metrics"]) == ["kernel"]
    assert [type(item).__name__ for item in chosen["diagnostics"].values()] == ["Witness", "JacobianCondition"]
