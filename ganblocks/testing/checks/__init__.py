"""The checks, one file per kind; importing this fills ``promises.PROMISES`` and ``promises.CASES``."""

from __future__ import annotations

from ganblocks.testing.checks import (
    attention,
    augment,
    components,
    conditioning,
    dataset,
    diagnostic,
    discriminator,
    feature_extractor,
    generator,
    initialization,
    learning,
    loss,
    metric,
    modules,
    norm,
    optimizer,
    penalty,
    update_rule,
    weight_norm,
)

__all__ = [
    "attention",
    "augment",
    "components",
    "conditioning",
    "dataset",
    "diagnostic",
    "discriminator",
    "feature_extractor",
    "generator",
    "initialization",
    "learning",
    "loss",
    "metric",
    "modules",
    "norm",
    "optimizer",
    "penalty",
    "update_rule",
    "weight_norm",
]
