"""The properties of every kind, one file per kind; each file lists its own in ``PROPERTIES``."""

from __future__ import annotations

from collections.abc import Mapping

from ganblocks.testing.checks import (
    attention,
    augment,
    conditioning,
    dataset,
    diagnostic,
    discriminator,
    feature_extractor,
    generator,
    initialization,
    logger,
    loss,
    metric,
    norm,
    optimizer,
    penalty,
    update_rule,
    weight_norm,
)
from ganblocks.testing.checks.components import common_properties
from ganblocks.testing.properties import Cases, Property

_MODULES = (
    *(attention, augment, conditioning, dataset, diagnostic, discriminator, feature_extractor, generator),
    *(initialization, logger, loss, metric, norm, optimizer, penalty, update_rule, weight_norm),
)
CASES: Mapping[str, Cases] = {module.__name__.rpartition(".")[2]: module.CASES for module in _MODULES}
"""Kind -> how its components are tested."""
PROPERTIES: Mapping[str, tuple[Property, ...]] = {
    kind: (*common_properties(kind, CASES[kind], module.PROPERTIES), *module.PROPERTIES)
    for kind, module in zip(CASES, _MODULES, strict=True)
}
"""Kind -> the properties of its components, in the order in which they are tested."""

__all__ = ["CASES", "PROPERTIES"]
