"""The interactive view of attention maps as data for a page: images, maps as bytes, and numbers, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from attrs import asdict

from ganblocks.maps.shown import ShownBlock, ShownNetwork
from ganblocks.report.page import bytes_data, picture_data, rounded
from ganblocks.training.map_files import ByteMaps, Moment
from ganblocks.training.map_numbers import Estimate, MapNumbers
from ganblocks.training.pictures import picture

BUDGET = 3 << 20
"""Bytes of all maps of a page, before base64."""

View = dict[str, Any]
"""``networks``: name -> captions; ``moments``: images, and by network a strip of pictures; ``blocks``: maps and numbers."""


def attention_view(networks: Sequence[ShownNetwork], moments: Sequence[Moment], images_seen: int) -> View:
    """Return the view of a run.

    Args:
        networks: as they are now.
        moments: earlier maps of the same images, in order; that of ``images_seen`` is replaced by ``networks``.
        images_seen: of the networks.
    """
    earlier = thinned([moment for moment in moments if moment.images_seen < images_seen], networks)
    copies = sum(len(network.blocks) for network in networks) * (len(earlier) + 1)
    budget = BUDGET // max(copies, 1)
    now = moment_now(networks, images_seen, budget)
    return {
        "networks": {network.name: {"captions": list(network.captions)} for network in networks},
        "moments": [moment_data(moment) for moment in (*earlier, now)],
        "blocks": [block_data(network, block, (*earlier, now)) for network in networks for block in network.blocks],
    }


def thinned(moments: Sequence[Moment], networks: Sequence[ShownNetwork]) -> list[Moment]:
    """Return the moments that show the blocks that there are now, of as many images; at most as many as fit the page."""
    blocks = {block.record.path: len(network.images) for network in networks for block in network.blocks}
    fitting = [
        moment
        for moment in moments
        if set(moment.maps) >= set(blocks) and all(len(moment.maps[path].rows) == n for path, n in blocks.items())
    ]
    largest = max((sum(moment.maps[path].rows.numel() for path in blocks) for moment in fitting), default=0)
    room = BUDGET // largest - 1 if largest else 0
    if len(fitting) <= room:
        return fitting
    return [fitting[i * len(fitting) // room] for i in range(room)] if room > 0 else []


def moment_now(networks: Sequence[ShownNetwork], images_seen: int, budget: int) -> Moment:
    """Return the maps of the networks as bytes."""
    now = Moment(images_seen, {}, {}, {})
    for network in networks:
        now.images[network.name] = network.images
        for block in network.blocks:
            record = block.record
            now.maps[record.path] = ByteMaps.of(block.attention, record.queries, record.keys, budget)
    return now


def moment_data(moment: Moment) -> View:
    """Return a moment's images: for each network one picture, in which they stand side by side."""
    strips = {}
    for name, images in moment.images.items():
        strip = images.permute(2, 0, 3, 1).flatten(1, 2).contiguous()  # [H, B · W, C]
        strips[name] = {"strip": picture_data(picture(strip)), "size": list(images.shape[2:])}
    return {"images": moment.images_seen, "strips": strips}


def block_data(network: ShownNetwork, block: ShownBlock, moments: Sequence[Moment]) -> View:
    """Return a block's numbers, and its maps at all moments."""
    record = block.record
    return {
        "path": record.path,
        "network": network.name,
        "heads": block.attention.shape[1],
        "gamma": None if record.gamma is None else float(record.gamma),
        "effect": float(record.change),
        "numbers": numbers_data(block.numbers),
        "maps": [maps_data(moment.maps[record.path]) for moment in moments],
    }


def maps_data(maps: ByteMaps) -> View:
    """Return maps as base64: ``rows`` uint8 [B, heads, n, m] and ``largest`` float32 [B, heads, n]."""
    grids = {"queries": maps.queries, "keys": maps.keys, "step": maps.step, "pooled": maps.pooled}
    return {**grids, "rows": bytes_data(maps.rows), "largest": bytes_data(maps.largest.to(torch.float32))}


def numbers_data(numbers: MapNumbers) -> View:
    """Return the numbers of a block's maps with their margins."""
    table = asdict(numbers, recurse=False)
    return {name: rounded(asdict(value)) if isinstance(value, Estimate) else value for name, value in table.items()}
