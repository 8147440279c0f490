"""Data sets: the embedded emoji and digits, folders of images, and CIFAR-10."""

from __future__ import annotations

import ganblocks

GANBLOCKS_API = 1


@ganblocks.hookimpl
def ganblocks_datasets() -> dict[str, str]:
    """Return the data sets."""
    return {
        "cifar10": "ganblocks_data.cifar10:Cifar10",
        "digits": "ganblocks_data.digits:Digits",
        "emoji": "ganblocks_data.emoji:Emoji",
        "image_folder": "ganblocks_data.image_folder:ImageFolder",
    }
