"""Weights from a file: its hash is checked first, and nothing but tensors is unpickled."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from ganblocks import DataError


def read_weights(path: Path, sha256: str, where: str) -> dict[str, Tensor]:
    """Return the state dict (name -> tensor of any shape) in a file whose sha256 begins with ``sha256``.

    Raises DataError, with the hint ``where``, if the file is missing, is another one, or holds no state dict.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file of weights", where)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(sha256):
        raise DataError(f"{path}: its sha256 is {digest[:12]}…, not {sha256[:12]}…: not the weights that scores name", where)
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that it cannot or will not read
        raise DataError(f"{path}: holds no weights that can be read safely", where) from error
    return weights
