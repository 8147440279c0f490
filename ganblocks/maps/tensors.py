"""The maps that a figure shows, as tensors to compute with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from ganblocks.files import replace_file
from ganblocks.maps.shown import ShownNetwork

NAME = "maps.safetensors"


def write_maps(path: Path, networks: Sequence[ShownNetwork], facts: dict[str, Any]) -> None:
    """Write the maps of networks as safetensors.

    ``map/PATH`` float32 [B, heads, N, M], ``image/NETWORK`` uint8 [B, C, H, W], ``label/NETWORK`` int64 [B] and
    ``latent/NETWORK`` float32 [B, Z] where there are any. The metadata's ``maps`` is JSON: ``facts``, and for each block the
    grids of its queries and of its keys. Raise OSError if the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    blocks = {}
    for network in networks:
        tensors[f"image/{network.name}"] = network.images.contiguous()
        for name, value in (("label", network.label), ("latent", network.latent)):
            if value is not None:
                tensors[f"{name}/{network.name}"] = value.contiguous()
        for block in network.blocks:
            tensors[f"map/{block.path}"] = block.attention.contiguous()
            blocks[block.path] = {"queries": block.queries, "keys": block.keys}
    with replace_file(path) as file:
        file.write(save(tensors, {"maps": json.dumps({**facts, "blocks": blocks}, sort_keys=True, ensure_ascii=False)}))
