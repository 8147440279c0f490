"""Which images are held out: a hash decides, so the split does not depend on a seed, an order or a machine."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor


def tenth(keys: Sequence[str], labels: Sequence[int]) -> Tensor:
    """Hold out a tenth of each class: whole keys in the order of their hashes, until a tenth is reached.

    A key that would take the last training images of its class is skipped.

    Args:
        keys: one per image; images with the same key stay together (they show the same drawing).
        labels: one per image.

    Returns:
        bool [n], True if the image is held out.
    """
    members: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (key, label) in enumerate(zip(keys, labels, strict=True)):
        members[label][key].append(index)
    held_out = torch.zeros(len(keys), dtype=torch.bool)
    for groups in members.values():
        count = sum(map(len, groups.values()))
        held: list[int] = []
        for key in sorted(groups, key=_hash):
            held += groups[key] if len(held) < round(count / 10) and len(held) + len(groups[key]) < count else []
        held_out[held] = True
    return held_out


def by_name(names: Sequence[str], labels: Sequence[int], share: float) -> Tensor:
    """Hold out the names whose hash falls below ``share``: files that are added later do not move the others.

    Each class keeps one training image: if the hashes of all its names fall below, the name with the highest hash is kept,
    until a name with a hash above is added.

    Returns:
        bool [n], True if the image is held out.
    """
    hashes = [_hash(name)[:13] for name in names]
    highest: dict[int, int] = {}
    for index, label in enumerate(labels):
        if hashes[index] >= hashes[highest.setdefault(label, index)]:
            highest[label] = index
    kept = set(highest.values())
    return torch.tensor(
        [int(digits, 16) < share * 16**13 and index not in kept for index, digits in enumerate(hashes)], dtype=torch.bool
    )


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
