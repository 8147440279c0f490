"""Twin textures: images on which long range can be measured exactly."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_datasets() -> dict[str, str]:
    """Offer data sets."""
    return {"twins": "ganblocks_twins.dataset:Twins"}


@ganblocks.hookimpl
def ganblocks_feature_extractors() -> dict[str, str]:
    """Offer feature extractors."""
    return {"twins": "ganblocks_twins.reading:TwinsReader"}


@ganblocks.hookimpl
def ganblocks_metrics() -> dict[str, str]:
    """Offer metrics."""
    return {"agreement": "ganblocks_twins.agreement:Agreement"}
