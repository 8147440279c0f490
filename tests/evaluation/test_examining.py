"""A metric that examines the generator: called with the very latents of the samples, under a protocol without features."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

import pytest
import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import ExaminesGenerator, Sample, discover
from ganblocks.errors import UsageError
from ganblocks.evaluation import EvaluationSettings, Evaluator, Report
from ganblocks.registry import Offer, Registry
from ganblocks.training.sampler import Sampler

SEEN: list[tuple[Tensor, Tensor | None, Tensor]] = []


@frozen
class Witness(ExaminesGenerator):
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
    return discover().with_(Registry([Offer("metric", "witness", "mine", Witness)]))


def report(**options: object) -> Report:
    names = registry()
    dataset = names.create("dataset", "digits")
    metrics = {"witness": Witness(), "kernel": names.create("metric", "kernel")}
    pixels = names.create("feature_extractor", "pixels")
    settings = EvaluationSettings(**{"extractor": pixels, "metrics": metrics, "n": 30, "device": "cpu", **options})
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
    assert report().scores[0].id != report(**change).scores[0].id


def test_there_are_no_batch_statistics_of_one_sample() -> None:
    rule = r"witness examines single samples, .* --batch-norm moving or standing"
    (missing,) = report(batch_norm="batch").missing
    assert missing.names == ("seven",)
    assert re.match(rule, missing.reason)
    with pytest.raises(UsageError, match=rule):
        report(batch_norm="batch", metrics={"witness": Witness()})


def test_it_is_not_for_samples() -> None:
    with pytest.raises(NotImplementedError, match="Witness examines a generator, not samples"):
        Witness().score(Sample(torch.zeros(2, 2)), Sample(torch.zeros(2, 2)), 0)
