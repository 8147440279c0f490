"""Augmentations: flips and shifts, and differentiable augmentation for discriminators, fixed and adaptive."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_augments() -> dict[str, str]:
    """Return the augmentations."""
    return {
        "flip": "ganblocks_augments.flip:Flip",
        "diffaug": "ganblocks_augments.diffaug:DiffAug",
        "ada": "ganblocks_augments.ada:ADA",
        "flip_translation": "ganblocks_augments.flip_translation:FlipTranslation",
    }
