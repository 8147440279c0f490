"""The kinds of component. Each has a Protocol here, a hook of the same name, and a page in the reference.

A new kind is added only when a recipe needs it.
"""

from __future__ import annotations

from attrs import frozen

from ganblocks.kinds.attention import Attention
from ganblocks.kinds.augment import Augment
from ganblocks.kinds.conditioning import Conditioning
from ganblocks.kinds.dataset import Dataset
from ganblocks.kinds.diagnostic import Diagnostic
from ganblocks.kinds.discriminator import Discriminator
from ganblocks.kinds.feature_extractor import FeatureExtractor
from ganblocks.kinds.generator import Generator
from ganblocks.kinds.initialization import Initialization
from ganblocks.kinds.logger import Logger
from ganblocks.kinds.loss import Loss
from ganblocks.kinds.metric import Metric
from ganblocks.kinds.norm import Norm
from ganblocks.kinds.optimizer import Optimizer
from ganblocks.kinds.penalty import Penalty
from ganblocks.kinds.update_rule import UpdateRule
from ganblocks.kinds.weight_norm import WeightNorm


@frozen
class Kind:
    """One kind of component, as the registry sees it."""

    name: str
    hook: str
    protocol: type
    methods: tuple[str, ...]
    """Methods that a component of this kind must define."""
    facts: tuple[str, ...] = ()
    """Class attributes that it must define."""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("norm", "ganblocks_norms", Norm, ("build",)),
        Kind("weight_norm", "ganblocks_weight_norms", WeightNorm, ("wrap",)),
        Kind("initialization", "ganblocks_initializations", Initialization, ("fill",)),
        Kind("attention", "ganblocks_attentions", Attention, ("build",)),
        Kind("loss", "ganblocks_losses", Loss, ("for_discriminator", "for_generator"), ("generator_reads_real",)),
        Kind("conditioning", "ganblocks_conditionings", Conditioning, ("build",)),
        Kind("penalty", "ganblocks_penalties", Penalty, ("build",), ("players", "reads_image_gradient")),
        Kind("update_rule", "ganblocks_update_rules", UpdateRule, ("start",)),
        Kind("optimizer", "ganblocks_optimizers", Optimizer, ("start", "settings")),
        Kind("generator", "ganblocks_generators", Generator, ("build",), ("latent",)),
        Kind("discriminator", "ganblocks_discriminators", Discriminator, ("build",)),
        Kind("augment", "ganblocks_augments", Augment, ("build",), ("differentiable",)),
        Kind("dataset", "ganblocks_datasets", Dataset, ("describe", "open")),
        Kind("metric", "ganblocks_metrics", Metric, ("score",), ("reads", "better")),
        Kind("diagnostic", "ganblocks_diagnostics", Diagnostic, ("examine",), ("better",)),
        Kind("feature_extractor", "ganblocks_feature_extractors", FeatureExtractor, ("protocol", "open"), ("named",)),
        Kind("logger", "ganblocks_loggers", Logger, ("start",)),
    )
}
"""Kind name -> kind, in the order in which ``ganblocks list`` shows them."""

__all__ = ["KINDS", "Kind"]
