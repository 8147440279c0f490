"""Which precision ``"auto"`` is: bfloat16 where a device computes in it, float32 where it would only emulate it."""

from __future__ import annotations

import platform
from typing import Literal

import attrs
import torch

from ganblocks.recipe import Recipe


def settled(recipe: Recipe, device: torch.device | str) -> Recipe:
    """The recipe with its precision decided for this device, as it is written into the run folder."""
    if recipe.training.precision != "auto":
        return recipe
    precision: Literal["bf16", "fp32"] = "bf16" if computes_in_bf16(torch.device(device)) else "fp32"
    return attrs.evolve(recipe, training=attrs.evolve(recipe.training, precision=precision))


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 here. Emulated it is slower, 13 times on a processor without AVX-512."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if platform.machine() in ("x86_64", "AMD64"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
