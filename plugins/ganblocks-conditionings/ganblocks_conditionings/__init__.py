"""Heads of a discriminator: projection, an auxiliary classifier, contrasts, and none."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_conditionings() -> dict[str, str]:
    """Return the conditionings."""
    return {
        "projection": "ganblocks_conditionings.projection:Projection",
        "auxiliary_classifier": "ganblocks_conditionings.auxiliary_classifier:AuxiliaryClassifier",
        "contrastive": "ganblocks_conditionings.contrastive:Contrastive",
        "data_to_data": "ganblocks_conditionings.data_to_data:DataToData",
        "none": "ganblocks_conditionings.none:NoConditioning",
    }
