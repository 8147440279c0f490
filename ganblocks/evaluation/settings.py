"""The settings of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import Factory, frozen

from ganblocks.kinds.diagnostic import Diagnostic
from ganblocks.kinds.feature_extractor import FeatureExtractor
from ganblocks.kinds.metric import Metric
from ganblocks.options.declare import option
from ganblocks.options.fields import PLUGIN_DEFAULT
from ganblocks.recipe.schema import Evaluation
from ganblocks.registry import Registry
from ganblocks.training.sampler import RESAMPLE


@frozen(kw_only=True)
class EvaluationSettings:
    """How to evaluate."""

    extractor: FeatureExtractor
    metrics: Mapping[str, Metric]
    diagnostics: Mapping[str, Diagnostic] = Factory(dict)
    explicit: bool = True
    """Whether the user chose the metrics: one that is impossible is then an error before training, not only afterwards."""
    n: int | None = None
    """Samples, and real images; None: as many as there are training images, at most 10,000."""
    weights: Literal["average", "live"] = option("average")
    """Of the generator: its moving average, or as trained."""
    truncation: float | None = None
    truncation_by: str = RESAMPLE
    """The convention of truncation; see :func:`ganblocks.training.latents.latents`."""
    batch_norm: str = "moving"
    seed: int = 0
    device: str = "auto"
    other_data: bool = False
    """Score against the given images even if the run was trained on others."""

    @property
    def truncated(self) -> dict[str, Any]:
        """The truncation, as keyword arguments of the sampler."""
        return {"truncation": self.truncation, "convention": self.truncation_by}


def evaluation_settings(evaluation: Evaluation | None, registry: Registry, device: str = "auto") -> EvaluationSettings:
    """Return the settings of a recipe's ``[evaluation]``; those of the plugins' defaults where it names no metric."""
    defaults = {offer.name: registry.create("metric", registry.short_name(offer)) for offer in registry.defaults("metric")}
    if evaluation is None:
        extractor = registry.create("feature_extractor", PLUGIN_DEFAULT)
        return EvaluationSettings(extractor=extractor, metrics=defaults, explicit=False, device=device)
    metrics = {name: item.metric for name, item in evaluation.metrics.items()}
    diagnostics = {name: item.diagnostic for name, item in evaluation.diagnostics.items()}
    explicit = bool(metrics or diagnostics)
    return EvaluationSettings(
        extractor=evaluation.extractor,
        metrics=metrics if explicit else defaults,
        diagnostics=diagnostics,
        explicit=explicit,
        n=evaluation.n,
        weights=evaluation.weights,
        device=device,
    )
