"""Devices by name, and the precision that ``"auto"`` means on them."""

from __future__ import annotations

import platform
from typing import Literal

import attrs
import torch

from ganblocks.errors import UsageError
from ganblocks.recipe import Recipe


def pick_device(name: str) -> torch.device:
    """Return the device that a user names; ``"auto"`` is CUDA if available. Raise UsageError for any other."""
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"no device {name!r}: auto, cpu or cuda")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UsageError("no CUDA device is available here; use --device cpu, or auto")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def with_precision(recipe: Recipe, device: torch.device | str) -> Recipe:
    """Return the recipe with precision ``"auto"`` replaced by what suits the device."""
    if recipe.training.precision != "auto":
        return recipe
    precision: Literal["bf16", "fp32"] = "bf16" if computes_in_bf16(torch.device(device)) else "fp32"
    return attrs.evolve(recipe, training=attrs.evolve(recipe.training, precision=precision))


def computes_in_bf16(device: torch.device) -> bool:
    """Return whether bfloat16 is native and so faster than float32. Emulated, it is up to 13 times slower on a CPU."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if platform.machine() in ("x86_64", "AMD64"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
