"""Scores within a run: at the right moments, the same as afterwards, and training never notices."""

from __future__ import annotations

import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from ganblocks_update_rules.alternating import AlternatingUpdater

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.cli import main
from ganblocks.errors import UsageError
from ganblocks.evaluation import EvaluationSettings, Evaluator, Report, Scoring, evaluate, evaluation_settings, read_reports
from ganblocks.recipe import Recipe
from ganblocks.training.checkpoint import latest
from ganblocks.training.loop import NoScorer
from ganblocks.training.run_folder import read_metrics
from ganblocks.training.sampler import Sampler
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"


def recipe(**overrides: object) -> Recipe:
    return read_recipe(RECIPE, {f"evaluation.{name}": value for name, value in overrides.items()})


def run(wanted: Recipe, out: Path, cache: Path | None = None) -> Path:
    registry = public.discover()
    scoring = Scoring(wanted.data.dataset, evaluation_settings(wanted.evaluation, registry, "cpu"), registry, out, cache)
    public.run(wanted, out, "cpu", scorer=scoring)
    return out


def without_time(run: Path) -> list[dict[str, object]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in read_metrics(run)]


@pytest.mark.parametrize("weights", ["average", "live"])
def test_training_never_notices(tmp_path: Path, weights: str) -> None:
    often = run(recipe(every=8, weights=weights), tmp_path / "often")
    never = tmp_path / "never"
    public.run(recipe(), never, "cpu")
    assert without_time(often) == without_time(never)
    files = sorted(path.relative_to(never) for path in never.glob("checkpoints/*/*.safetensors"))
    assert files
    assert all((often / path).read_bytes() == (never / path).read_bytes() for path in files)
    assert [path.read_bytes() for path in sorted(often.glob("samples/*"))] == [
        path.read_bytes() for path in sorted(never.glob("samples/*"))
    ]


@pytest.mark.parametrize(("every", "moments"), [(24, [24, 48, 64]), (32, [32, 64]), (30, [32, 64]), (1000, [64])])
def test_moments_are_the_cadence_s_and_the_end(tmp_path: Path, every: int, moments: list[int]) -> None:
    folder = run(recipe(every=every), tmp_path / "run")
    assert [report.images for report in read_reports(folder)] == moments


@pytest.mark.parametrize("weights", ["average", "live"])
def test_the_score_at_the_end_is_that_of_evaluating_afterwards(tmp_path: Path, weights: str) -> None:
    wanted = recipe(weights=weights)
    folder = run(wanted, tmp_path / "run")
    registry = public.discover()
    assert read_reports(folder)[-1] == evaluate(folder, evaluation_settings(wanted.evaluation, registry, "cpu"), registry)


def test_average_and_live_weights_are_different_protocols(tmp_path: Path) -> None:
    one, other = (read_reports(run(recipe(weights=weights), tmp_path / weights))[-1] for weights in ("average", "live"))
    assert one.scores[0].value != other.scores[0].value
    assert one.scores[0].id != other.scores[0].id
    assert "live generator" in other.scores[0].protocol["fake"]


def test_a_run_that_went_back_is_scored_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 40 images twice: before it went from 48 back to 32, and on its other way."""
    original, scorer = AlternatingUpdater.step, []
    report = Evaluator.report

    def step(self: AlternatingUpdater, next_batch: Any, images_seen: int) -> Any:
        metrics = original(self, next_batch, images_seen)
        return metrics | ({"generator/loss": torch.tensor(math.nan)} if images_seen == 40 and next_batch.seed == 0 else {})

    def noted(self: Evaluator, sampler: Sampler, images_seen: int) -> Report:
        scorer.append(images_seen)
        return report(self, sampler, images_seen)

    monkeypatch.setattr(AlternatingUpdater, "step", step)
    monkeypatch.setattr(Evaluator, "report", noted)
    wanted = read_recipe(RECIPE, {"evaluation.every": 40, "training.checkpoint_every": 32, "health.not_finite": "rollback"})
    with pytest.warns(UserWarning, match="rolled back"):
        folder = run(wanted, tmp_path / "run")
    assert scorer == [40, 40, 64]
    assert [each.images for each in read_reports(folder)] == [40, 64]
    assert read_reports(folder)[-1] == evaluate(
        folder, evaluation_settings(wanted.evaluation, public.discover(), "cpu"), public.discover()
    )


def test_a_run_that_goes_on_elsewhere_keeps_its_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever is refused has changed nothing."""
    folder = run(recipe(every=24), tmp_path / "run")
    shutil.rmtree(latest(folder))
    before = (folder / "scores.json").read_bytes()
    with FileLock(folder / ".lock"):
        assert main(["resume", str(folder), "--quiet"]) == 2
    assert "another process is training here" in capsys.readouterr().err
    assert (folder / "scores.json").read_bytes() == before


def test_seconds_do_not_count_scoring(tmp_path: Path) -> None:
    class Slow(NoScorer):
        def __call__(self, sampler: Sampler, images_seen: int) -> None:
            time.sleep(1.0)

    started = time.perf_counter()
    public.run(recipe(every=8), tmp_path / "run", "cpu", scorer=Slow())
    whole = time.perf_counter() - started
    assert read_metrics(tmp_path / "run")[-1]["seconds"] < whole - 6.5


class Once:
    """An extractor that counts the images that it is shown."""

    def __init__(self, inner: torch.nn.Module) -> None:
        self.inner, self.seen = inner, 0

    def __call__(self, image: torch.Tensor) -> object:
        self.seen += len(image)
        return self.inner(image)


def scorer(settings: EvaluationSettings, cache: Path | None) -> tuple[Report, int]:
    """A report of a fixed generator, and how many images the extractor was shown for it."""
    registry = public.discover()
    dataset = registry.create("dataset", "digits")
    evaluator = Evaluator(dataset.open(), dataset.describe(), settings, registry, cache)
    once = Once(evaluator.network)
    evaluator.__dict__["network"] = once
    network = torch.nn.Linear(4, 64, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.arange(256).view(64, 4) / 256)

    class Generator(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = network

        def forward(self, z: torch.Tensor, label: torch.Tensor | None) -> torch.Tensor:
            image: torch.Tensor = self.linear(z).tanh().view(-1, 1, 8, 8)
            return image

    return evaluator.report(Sampler(Generator(), 4, dataset.describe()), 0), once.seen


def test_real_images_are_looked_at_once_for_all_judges(tmp_path: Path) -> None:
    evaluation = recipe(n=50).evaluation
    settings = evaluation_settings(evaluation, public.discover(), "cpu")
    plain, all_images = scorer(settings, None)
    first, shown = scorer(settings, tmp_path)
    again, few = scorer(settings, tmp_path)
    assert plain == first == again
    assert (shown, few) == (all_images, 50)
    assert len(list(tmp_path.iterdir())) == 3  # train, held out, noise
    other = evaluation_settings(recipe(n=40).evaluation, public.discover(), "cpu")
    assert scorer(other, tmp_path)[0] == scorer(other, None)[0]


def test_a_damaged_cache_is_written_anew(tmp_path: Path) -> None:
    settings = evaluation_settings(recipe(n=50).evaluation, public.discover(), "cpu")
    plain, _ = scorer(settings, tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match="cannot be used, and is computed again"):
        again, _ = scorer(settings, tmp_path)
    assert again == plain
    assert scorer(settings, tmp_path)[1] == 50


def test_a_report_keeps_its_moment(tmp_path: Path) -> None:
    folder = run(recipe(every=24), tmp_path / "run")
    plain = json.loads((folder / "scores.json").read_text())
    assert [Report.from_dict(each) for each in plain] == read_reports(folder)


def test_a_cache_that_cannot_be_written_is_a_user_s_mistake(tmp_path: Path) -> None:
    """Before anything is computed; a folder that cannot be written any more by then costs no score."""
    (tmp_path / "file").write_text("")
    cache, settings = tmp_path / "file" / "cache", evaluation_settings(recipe(n=20).evaluation, public.discover(), "cpu")
    with pytest.raises(UsageError, match="features cannot be kept here"):
        evaluate(tmp_path, settings, public.discover(), cache)
    with pytest.warns(UserWarning, match="features cannot be kept here"):
        assert scorer(settings, cache)[0] == scorer(settings, None)[0]
