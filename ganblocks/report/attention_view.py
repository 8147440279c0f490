"""The interactive view of attention maps as data for a page: images, maps as bytes, and numbers, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from attrs import asdict

from ganblocks.maps.shown import ShownNetwork
from ganblocks.report.page import bytes_data, picture_data, rounded
from ganblocks.training.map_files import ByteMaps, Moment
from ganblocks.training.map_numbers import MapEstimate, MapNumbers
from ganblocks.training.pictures import picture

BUDGET = 2 << 20
"""Bytes of all maps of a page, before base64."""

View = dict[str, Any]
"""``networks``: name -> captions; ``moments``: images, and by network a strip of pictures; ``blocks``: maps and numbers."""


def attention_view(networks: Sequence[ShownNetwork], moments: Sequence[Moment], images_seen: int) -> View:
    """Return the view of a run as it is now.

    Args:
        networks: as they are now.
        moments: earlier maps of the same images, in order; that of ``images_seen`` is replaced by ``networks``.
        images_seen: of the networks.
    """
    blocks = {block.path: len(network.images) for network in networks for block in network.blocks}
    earlier = thinned([moment for moment in moments if moment.images_seen < images_seen], blocks)
    now = moment_now(networks, images_seen, BUDGET // max(len(blocks) * (len(earlier) + 1), 1))
    every = (*earlier, now)
    return {
        "networks": {network.name: {"captions": list(network.captions)} for network in networks},
        "moments": [moment_data(moment) for moment in every],
        "blocks": [
            block_data(block.path, every)
            | {
                "gamma": block.gamma,
                "effect": block.change,
                "numbers": numbers_data(block.numbers),
            }
            for network in networks
            for block in network.blocks
        ],
    }


def kept_view(moments: Sequence[Moment], health: Mapping[str, Any], class_names: Sequence[str]) -> View | None:
    """Return the view of what a run has kept, without its networks; None if it has kept no maps.

    Args:
        moments: in order.
        health: of the run, whose ``gates`` have the numbers of its end.
        class_names: of the images.
    """
    if not moments:
        return None
    last = moments[-1]
    every = thinned(moments, {path: len(maps.rows) for path, maps in last.maps.items()}) or [last]
    gates = {gate["path"]: gate for gate in health.get("gates", [])}
    return {
        "networks": {name: {"captions": captions(last, name, class_names)} for name in last.images},
        "moments": [moment_data(moment) for moment in every],
        "blocks": [block_data(path, every) | gate_data(gates.get(path)) for path in last.maps],
    }


def captions(moment: Moment, network: str, class_names: Sequence[str]) -> list[str]:
    """Return what each image of a network is: its class, or its number."""
    count, labels = len(moment.images[network]), moment.labels[network]
    if len(labels) != count:
        return [f"image {number + 1}" for number in range(count)]
    return [class_names[label] if label < len(class_names) else f"class {label}" for label in labels]


def gate_data(gate: Mapping[str, Any] | None) -> View:
    """Return γ, effect and numbers of a block from health.json, None where it has none."""
    known = gate or {}
    return {"gamma": known.get("gamma"), "effect": known.get("change"), "numbers": known.get("map")}


def thinned(moments: Sequence[Moment], blocks: Mapping[str, int]) -> list[Moment]:
    """Return the moments that show these blocks, path -> images, at most as many as fit the page beside one more."""
    fitting = [
        moment
        for moment in moments
        if set(moment.maps) >= set(blocks) and all(len(moment.maps[path].rows) == n for path, n in blocks.items())
    ]
    largest = max((sum(moment.maps[path].rows.numel() for path in blocks) for moment in fitting), default=0)
    room = BUDGET // largest - 1 if largest else 0
    if len(fitting) <= room:
        return fitting
    return [fitting[(i + 1) * len(fitting) // room - 1] for i in range(room)] if room > 0 else []


def moment_now(networks: Sequence[ShownNetwork], images_seen: int, budget: int) -> Moment:
    """Return the maps of the networks as bytes."""
    now = Moment(images_seen, {}, {}, {})
    for network in networks:
        now.images[network.name] = network.images
        for block in network.blocks:
            now.maps[block.path] = ByteMaps.of(block.attention, block.queries, block.keys, budget)
    return now


def moment_data(moment: Moment) -> View:
    """Return a moment's images: for each network one picture, in which they stand side by side."""
    strips = {}
    for name, images in moment.images.items():
        strip = images.permute(2, 0, 3, 1).flatten(1, 2).contiguous()  # [H, B · W, C]
        strips[name] = {"strip": picture_data(picture(strip)), "size": list(images.shape[2:])}
    return {"images": moment.images_seen, "strips": strips}


def block_data(path: str, moments: Sequence[Moment]) -> View:
    """Return a block's maps at all moments."""
    heads = moments[-1].maps[path].rows.shape[1]
    maps = [maps_data(moment.maps[path]) for moment in moments]
    return {"path": path, "network": path.partition(".")[0], "heads": heads, "maps": maps}


def maps_data(maps: ByteMaps) -> View:
    """Return maps as base64: ``rows`` uint8 [B, heads, n, m] and ``largest`` float32 [B, heads, n]."""
    grids = {"queries": maps.queries, "keys": maps.keys, "step": maps.step, "pooled": maps.pooled}
    return {**grids, "rows": bytes_data(maps.rows), "largest": bytes_data(maps.largest.to(torch.float32))}


def numbers_data(numbers: MapNumbers) -> View:
    """Return the numbers of a block's maps with their margins."""
    table = asdict(numbers, recurse=False)
    return {name: rounded(asdict(value)) if isinstance(value, MapEstimate) else value for name, value in table.items()}
