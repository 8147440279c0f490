"""What to evaluate by."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen
from attrs.validators import in_

from ganblocks.kinds.feature_extractor import FeatureExtractor
from ganblocks.kinds.metric import Metric
from ganblocks.recipe.schema import Evaluation
from ganblocks.registry import Registry
from ganblocks.training.sampler import RESAMPLE

USUAL = ("kernel", "frechet", "precision_recall", "density_coverage", "inception_score")
"""Metrics of an evaluation that names none; the kernel distance leads, because it is unbiased where images are few."""


@frozen(kw_only=True)
class EvaluationSettings:
    """How to evaluate."""

    extractor: FeatureExtractor
    metrics: Mapping[str, Metric]
    asked: bool = True
    """Whether somebody chose the metrics: then one that cannot be had is known before a training, and not only after it."""
    n: int | None = None
    """Samples, and real images; None: as many as there are training images, at most 10,000."""
    weights: str = field(default="average", validator=in_(("average", "live")))
    """Of the generator: the moving average, or as they were trained."""
    truncation: float | None = None
    truncation_by: str = RESAMPLE
    """What the truncation means; see :func:`ganblocks.training.latents.latents`."""
    batch_norm: str = "moving"
    seed: int = 0
    device: str = "auto"
    other_data: bool = False
    """Score against the images that are there, also where they are not those that the run has seen."""


def evaluation_settings(evaluation: Evaluation | None, registry: Registry, device: str = "auto") -> EvaluationSettings:
    """What a recipe asks for; the usual metrics where it names none."""
    usual = {name: registry.create("metric", name) for name in USUAL}
    if evaluation is None:
        return EvaluationSettings(
            extractor=registry.create("feature_extractor", "efficientnet_lite0"), metrics=usual, asked=False, device=device
        )
    metrics = {name: measure.metric for name, measure in evaluation.metrics.items()}
    return EvaluationSettings(
        extractor=evaluation.extractor,
        metrics=metrics or usual,
        asked=bool(metrics),
        n=evaluation.n,
        weights=evaluation.weights,
        device=device,
    )
