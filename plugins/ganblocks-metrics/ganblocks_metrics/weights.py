"""Weights from a file: checked before they are opened, and never unpickled as anything but tensors."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from ganblocks import DataError


def read_weights(path: Path, sha256: str, where: str) -> dict[str, Tensor]:
    """The state dict in a file whose sha256 begins with ``sha256``.

    Raises:
        DataError: there is no such file (``where`` says how to get it), it is another one, or it holds no state dict.

    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file of weights; {where}")
    found = _sha256(path)
    if not found.startswith(sha256):
        raise DataError(f"{path}: its sha256 is {found[:12]}…, not {sha256[:12]}…: not the weights that scores name; {where}")
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that it cannot or will not read
        raise DataError(f"{path}: holds no weights that can be read safely; {where}") from error
    return weights


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
