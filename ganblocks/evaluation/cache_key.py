"""What features depend on beside the protocol: the code that extracts them, and the pixels that it reads."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch
from torch import Tensor

from ganblocks.evaluation.features import ReadImages

PROBED = 16
"""Images whose pixels are part of the key."""


def code_of(component: object) -> str:
    """Return a hash of the Python files beside the one that defines a component's class; empty if it has no file."""
    module = sys.modules.get(type(component).__module__)
    path = getattr(module, "__file__", None)
    if path is None:
        return ""
    digest = hashlib.sha256()
    for file in sorted(Path(path).parent.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def pixels_of(read: ReadImages, indices: Tensor) -> str:
    """Return a hash of some of the images at ``indices`` [n], evenly spaced: it changes if they are decoded differently."""
    positions = torch.linspace(0, len(indices) - 1, min(PROBED, len(indices))).long()
    pixels = read(indices[positions])
    return hashlib.sha256(f"{list(pixels.shape)}".encode() + pixels.contiguous().numpy().tobytes()).hexdigest()
