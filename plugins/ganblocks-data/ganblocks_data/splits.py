"""Which images are held out: a hash decides, so that the answer never depends on a seed, an order or a machine."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor


def tenth(keys: Sequence[str], labels: Sequence[int]) -> Tensor:
    """Hold out a tenth of every class: its keys in the order of their hashes, whole keys at a time, until a tenth is reached.

    Args:
        keys: one per image; images with one key stay on one side (they show the same).
        labels: one per image.

    Returns:
        bool [n], true where the image is held out.
    """
    places: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, (key, label) in enumerate(zip(keys, labels, strict=True)):
        places[label][key].append(place)
    held_out = torch.zeros(len(keys), dtype=torch.bool)
    for groups in places.values():
        wanted = round(sum(map(len, groups.values())) / 10)
        held: list[int] = []
        for key in sorted(groups, key=_hash):
            held += groups[key] if len(held) < wanted else []
        held_out[held] = True
    return held_out


def by_name(names: Sequence[str], share: float) -> Tensor:
    """Hold out the names whose hash falls below ``share``: files that are added later never move the others.

    Returns:
        bool [n], true where the image is held out.
    """
    return torch.tensor([int(_hash(name)[:13], 16) < share * 16**13 for name in names], dtype=torch.bool)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
