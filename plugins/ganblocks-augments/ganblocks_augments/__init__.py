"""Augmentations: flips, and differentiable augmentation for discriminators."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_augments() -> dict[str, str]:
    return {"flip": "ganblocks_augments.flip:Flip", "diffaug": "ganblocks_augments.diffaug:DiffAug"}
