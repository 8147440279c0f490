"""Metrics, and the extractors whose features they compare."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1
GANBLOCKS_DEFAULTS = {
    "metric": ("kernel", "frechet", "precision_recall", "density_coverage", "inception_score"),
    "feature_extractor": ("efficientnet_lite0",),
}
"""The kernel distance comes first, because it is unbiased with few images."""


@ganblocks.hookimpl
def ganblocks_metrics() -> dict[str, str]:
    """Offer metrics."""
    return {
        "frechet": "ganblocks_metrics.frechet:Frechet",
        "frechet_per_class": "ganblocks_metrics.frechet:FrechetPerClass",
        "kernel": "ganblocks_metrics.kernel:Kernel",
        "precision_recall": "ganblocks_metrics.manifold:PrecisionRecall",
        "density_coverage": "ganblocks_metrics.manifold:DensityCoverage",
        "inception_score": "ganblocks_metrics.inception_score:InceptionScore",
    }


@ganblocks.hookimpl
def ganblocks_feature_extractors() -> dict[str, str]:
    """Offer feature extractors."""
    return {
        "efficientnet_lite0": "ganblocks_metrics.extractors:EfficientNetLite0Extractor",
        "inception_2015": "ganblocks_metrics.inception:Inception2015",
        "inception_torchvision": "ganblocks_metrics.inception:InceptionTorchvision",
        "pixels": "ganblocks_metrics.extractors:Pixels",
    }
