"""Which images are held out: a hash decides, so that the answer never depends on a seed, an order or a machine."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor


def tenth(keys: Sequence[str], labels: Sequence[int]) -> Tensor:
    """Hold out a tenth of every class: its keys in the order of their hashes, whole keys at a time, until a tenth is reached.

    A key that would take the last training images of its class stays.

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
        count = sum(map(len, groups.values()))
        wanted = round(count / 10)
        held: list[int] = []
        for key in sorted(groups, key=_hash):
            held += groups[key] if len(held) < wanted and len(held) + len(groups[key]) < count else []
        held_out[held] = True
    return held_out


def by_name(names: Sequence[str], labels: Sequence[int], share: float) -> Tensor:
    """Hold out the names whose hash falls below ``share``: files that are added later do not move the others.

    A class keeps at least one training image: where all of its names fall below, the one of the highest hash stays, until a
    name that does not is added.

    Returns:
        bool [n], true where the image is held out.
    """
    hashes = [_hash(name)[:13] for name in names]
    highest: dict[int, int] = {}
    for place, label in enumerate(labels):
        if hashes[place] >= hashes[highest.setdefault(label, place)]:
            highest[label] = place
    kept = set(highest.values())
    held_out = [int(digits, 16) < share * 16**13 and place not in kept for place, digits in enumerate(hashes)]
    return torch.tensor(held_out, dtype=torch.bool)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
