"""What can be had is shown, and what cannot is named with its reason: 15 images, and metrics that fail in every way."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from ganblocks import DataError, Images, ImageSpec, Sample, discover
from ganblocks.errors import GanblocksError, UsageError
from ganblocks.evaluation import EvaluationSettings, Evaluator, MetricValue, Missing, Report, read_reports
from ganblocks.registry import Offer, Registry
from ganblocks.testing import examples
from ganblocks.training.sampler import Sampler
from tests.cli.commands import ganblocks

RECIPE = """
title = "Fifteen images"
[data]
use = "image_folder"
path = "photos"
size = 32
classes = 2
[generator]
use = "dcgan"
width = 8
[discriminator]
use = "dcgan"
width = 8
[loss]
use = "hinge"
[update]
use = "alternating"
generator = "adam"
discriminator = "adam"
[training]
images = 32
batch = 8
[evaluation]
every = 16
"""
"""With the usual metrics, of which two need more images than there are."""


@pytest.fixture(scope="module")
def fifteen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a run of the recipe has ended."""
    folder = tmp_path_factory.mktemp("fifteen")
    rng = np.random.default_rng(0)
    for name, count, ground in (("Zebras", 8, 0), ("apples", 7, 150)):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(count):
            pixels = (rng.integers(0, 100, (32, 32, 3)) + ground).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")
    (folder / "recipe.toml").write_text(RECIPE)
    done = ganblocks("run", "recipe.toml", "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "said").write_text(done.stderr)
    return folder


def test_fifteen_images_end_with_the_scores_that_exist_and_a_sentence_for_each_that_does_not(fifteen: Path) -> None:
    said, reports = (fifteen / "said").read_text(), read_reports(fifteen / "run")
    assert [report.images for report in reports] == [16, 32]
    for report in reports:
        leading = {score.name.partition("[")[0] for score in report.scores if score.better}
        assert leading == {"kd", "fd", "precision", "recall", "density", "coverage"}
        samples = [each for each in report.missing if each.column == "samples"]
        assert [each.names for each in samples] == [("is[efficientnet-lite0]",)]
        assert samples[0].reason.startswith(f"{counts(report)[0]} samples are fewer than 2 for each of 10 splits")
        lacking = {name.partition("[")[0] for each in report.missing if each.column == "held-out real" for name in each.names}
        assert lacking - {"nearest training image"} == without_control(counts(report)[1])
    for missing in reports[-1].missing:
        assert said.count(missing.message()) == 1
    assert "no is[efficientnet-lite0]: " in said
    kd = reports[-1].scores[0]
    assert kd.noise is not None
    assert ("not trained yet; do not compare" in said) == (kd.value >= kd.noise)


def counts(report: Report) -> tuple[int, int]:
    """Training and held-out images, of 15."""
    protocol = report.scores[0].protocol
    trained = int(protocol["real"].split()[0])
    return trained, 15 - trained


def without_control(held_out: int) -> set[str]:
    """The numbers that so few held-out images do not have."""
    least = {"kd": 2, "fd": 2, "precision": 4, "recall": 4, "density": 6, "coverage": 6}
    return {name for name, count in least.items() if held_out < count}


def test_the_remedy_of_a_sentence_works(fifteen: Path) -> None:
    done = ganblocks("evaluate", "run", "--metric", "inception_score", "--n", "20", "--json", cwd=fifteen)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"][0]["name"] == "is[efficientnet-lite0]"


def test_json_tells_what_is_missing_as_facts(fifteen: Path) -> None:
    names = ("--metric", "kernel", "--metric", "inception_score", "--extractor", "pixels")
    done = ganblocks("evaluate", "run", *names, "--json", cwd=fifteen)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [score["name"] for score in found["scores"]] == ["kd[pixels]"]
    (missing,) = (each for each in found["missing"] if each["column"] == "samples")
    assert missing["names"] == ["is[pixels]"]
    assert missing["column"] == "samples"
    assert "inception_score needs logits, which pixels does not give" in missing["reason"]


def test_a_finished_run_that_lacks_a_score_is_not_scored_again(fifteen: Path) -> None:
    before = (fifteen / "run" / "scores.json").read_bytes()
    done = ganblocks("resume", "run", cwd=fifteen)
    assert done.returncode == 0, done.stderr
    assert "no is[efficientnet-lite0]" in done.stderr
    assert (fifteen / "run" / "scores.json").read_bytes() == before


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("evaluation.metrics={ inception_score = {} }",), "samples are fewer than 2 for each of 10 splits"),
        (("evaluation.metrics={ density_coverage = { neighbours = 15 } }",), "images have no 15 nearest neighbours"),
        (("evaluation.metrics={ precision_recall = {} }", "evaluation.n=3"), "3 images have no 3 nearest neighbours"),
        (("evaluation.metrics={ inception_score = {} }", "evaluation.extractor=pixels", "evaluation.n=30"), "needs logits"),
    ],
    ids=["splits", "neighbours", "n", "logits"],
)
def test_what_was_asked_for_and_cannot_be_is_an_error_before_the_first_step(
    fifteen: Path, sets: tuple[str, ...], words: str
) -> None:
    changes = [word for each in sets for word in ("--set", each)]
    done = ganblocks("run", "recipe.toml", "--out", "other", *changes, cwd=fifteen)
    assert done.returncode == 2, done.stderr
    assert f"recipe.toml: evaluation.metrics.{sets[0].split()[1]}: " in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (fifteen / "other").exists()


def test_check_knows_it_where_the_recipe_says_how_many(fifteen: Path) -> None:
    sets = ("--set", "evaluation.n=15", "--set", "evaluation.metrics={ inception_score = {} }")
    done = ganblocks("check", "recipe.toml", *sets, cwd=fifteen)
    assert done.returncode == 2
    assert "15 samples are fewer than 2 for each of 10 splits: take n = 20 at least, or splits = 7 at most" in done.stderr
    for mended in ("evaluation.n=20", "evaluation.metrics.inception_score.splits=7"):
        assert ganblocks("check", "recipe.toml", *sets, "--set", mended, cwd=fifteen).returncode == 0


def test_weights_that_are_not_there_are_named_before_the_first_step(fifteen: Path) -> None:
    settings = "evaluation.extractor={ use = 'inception_2015', path = 'absent.pth' }"
    done = ganblocks("run", "recipe.toml", "--out", "other", "--set", settings, cwd=fifteen)
    assert done.returncode == 3
    assert "absent.pth: there is no such file of weights" in done.stderr
    assert "to train without scores, add --no-score" in done.stderr
    assert not (fifteen / "other").exists()
    done = ganblocks(
        "run", "recipe.toml", "--out", "other", "--set", settings, "--no-score", "--set", "training.images=8", cwd=fifteen
    )
    assert done.returncode == 0, done.stderr
    assert not (fifteen / "other" / "scores.json").exists()


Ask = Callable[[Sample, Sample], dict[str, float]]


@frozen
class Numbers:
    """Says what it was told to say."""

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"one": "lower", "other": "higher"}

    ask: Ask

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        return self.ask(real, fake)


def fails(error: Exception) -> Ask:
    def ask(real: Sample, fake: Sample) -> dict[str, float]:
        raise error

    return ask


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(64))

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return (z @ self.weight / 4).clamp(-1, 1).view(-1, 1, 8, 8)


def report(asks: dict[str, Ask], images: Images | None = None) -> Report:
    registry = discover().with_(Registry([Offer("metric", "numbers", "mine", Numbers)]))
    dataset = registry.create("dataset", "digits")
    image = ImageSpec(channels=1, size=8)
    metrics = {name: Numbers(ask) for name, ask in asks.items()}
    settings = EvaluationSettings(extractor=registry.create("feature_extractor", "pixels"), metrics=metrics, n=30, device="cpu")
    evaluator = Evaluator(images or dataset.open(), image, settings, registry)
    # options of these metrics are functions, which no recipe holds
    evaluator._options = lambda metric: next(name for name, each in metrics.items() if each is metric)  # type: ignore[method-assign]
    return evaluator.report(Sampler(Plain(), 64, image), 0)


def good(real: Sample, fake: Sample) -> dict[str, float]:
    return {"one": 1.0, "other": 2.0}


@pytest.mark.parametrize(
    ("bad", "reason", "names"),
    [
        (fails(DataError("too few")), "too few", ("one[pixels]", "other[pixels]")),
        (fails(UsageError("not so")), "not so", ("one[pixels]", "other[pixels]")),
        (fails(ValueError("odd")), "ValueError: odd", ("one[pixels]", "other[pixels]")),
        (fails(torch.linalg.LinAlgError("no convergence")), "no convergence", ("one[pixels]", "other[pixels]")),
        (fails(MemoryError()), "MemoryError", ("one[pixels]", "other[pixels]")),
        (lambda real, fake: {"one": math.nan, "other": 3.0}, "not finite", ("one[pixels]",)),
        (lambda real, fake: {"one": math.inf, "other": -math.inf}, "not finite", ("one[pixels]", "other[pixels]")),
    ],
)
def test_a_metric_that_fails_takes_no_other_with_it(bad: Ask, reason: str, names: tuple[str, ...]) -> None:
    found = report({"before": good, "bad": bad, "after": good})
    assert [score.value for score in found.scores if score.protocol["metric"] != "numbers(bad)"] == [1, 2, 1, 2]
    (missing,) = (each for each in found.missing if each.column == "samples")
    assert missing.names == names
    assert reason in missing.reason
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Report.from_dict(json.loads(text)) == found


@pytest.mark.parametrize(
    ("error", "kind"),
    [(DataError("too few"), DataError), (UsageError("not so"), UsageError), (ValueError("odd"), ValueError)],
    ids=["data", "usage", "fault"],
)
def test_no_number_at_all_is_an_error(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=str(error)) as caught:
        report({"bad": fails(error), "worse": fails(DataError("nor this"))})
    assert not isinstance(caught.value, GanblocksError) or "nor this" in str(caught.value)


def test_a_control_that_fails_is_missing_alone() -> None:
    def ask(real: Sample, fake: Sample) -> dict[str, float]:
        if len(fake) != 30:  # the held-out images are more
            raise DataError("only 30 will do")
        return {"one": 1.0, "other": 2.0}

    found = report({"choosy": ask})
    assert [(score.value, score.held_out, score.noise) for score in found.scores] == [(1, None, 1), (2, None, 2)]
    assert [(each.names, each.column) for each in found.missing] == [(("one[pixels]", "other[pixels]"), "held-out real")]


def plain(held_out: Tensor) -> Images:
    pixels = torch.arange(64).repeat(40).view(40, 1, 8, 8).add(torch.arange(40).view(-1, 1, 1, 1)).to(torch.uint8)
    split = {"train": torch.arange(30), "held_out": held_out}
    return Images(pixels.__getitem__, torch.zeros(40, dtype=torch.int64), "f", split)


@pytest.mark.parametrize(
    ("held_out", "reason"),
    [
        (torch.arange(30, 31), "1 of the images is held out"),
        (torch.arange(0), "0 of the images are held out"),
        (torch.arange(5), "held-out images are copies of training images"),
    ],
    ids=["one", "none", "copies"],
)
def test_a_memorisation_ratio_that_means_nothing_is_missing(held_out: Tensor, reason: str) -> None:
    found = report({"good": good}, plain(held_out))
    assert found.nearest is None
    assert any("nearest training image" in each.names and reason in each.reason for each in found.missing)
    assert len({each.reason for each in found.missing}) == len(found.missing), "one sentence for one reason"


def test_reports_from_before_numbers_could_be_missing_open(tmp_path: Path) -> None:
    """Written by version 0.1.0 at commit a5a0c58."""
    score = {"name": "kd[x]", "value": 6.5, "protocol": {"seed": "0"}, "better": "lower", "held_out": 0.1, "noise": 9.0}
    old = [{"images": 64, "nearest": 1.5, "scores": [{**score, "id": "0123456789ab"}]}]
    (tmp_path / "scores.json").write_text(json.dumps(old))
    assert read_reports(tmp_path) == [Report((MetricValue("kd[x]", 6.5, {"seed": "0"}, "lower", 0.1, 9.0),), 1.5, 64)]


numbers = st.floats(-10, 10)


@examples(50)
@given(value=numbers, held_out=numbers | st.none(), noise=numbers | st.none(), better=st.sampled_from(["higher", "lower", ""]))
def test_no_better_than_noise(value: float, held_out: float | None, noise: float | None, better: str) -> None:
    score = MetricValue("x", value, {}, better, held_out, noise)
    sign = {"higher": 1, "lower": -1, "": 0}[better]
    if noise is None or not sign or (held_out is not None and sign * held_out <= sign * noise):
        assert score.no_better_than_noise is None
    else:
        assert score.no_better_than_noise == (sign * value <= sign * noise)
    said = Report((score,)).untrained()
    assert ("not trained yet; do not compare" in said) == bool(score.no_better_than_noise)


def test_a_number_beside_the_leading_one_says_only_that_it_is_no_measure_here() -> None:
    kd, recall = MetricValue("kd[x]", 5, {}, "lower", 0.1, 9.0), MetricValue("recall[x]", 0, {}, "higher", 0.7, 0)
    said = Report((kd, recall)).untrained()
    assert said == "no better than noise (recall[x] 0, noise 0): do not compare by it"
    precision = MetricValue("precision[x]", 0.3, {}, "higher", None, 0.7)  # held-out images are too few for it
    assert not Report((kd, precision)).untrained()
    assert [score["no_better_than_noise"] for score in Report((kd, recall)).to_dict()["scores"]] == [False, True]
    assert Missing(("a", "b"), "why", "noise").message() == "no a, b of noise images: why"
