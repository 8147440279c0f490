"""Attention maps as a run keeps them over time: one byte per number, of a few samples, at the moments of its sample grids."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from attrs import asdict, evolve, frozen
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganblocks.errors import CheckpointError
from ganblocks.files import replace_file
from ganblocks.kinds.module_capabilities import AttentionMap
from ganblocks.training.block_records import BlockRecord, examine, image_of
from ganblocks.training.examples import Examples, Inputs
from ganblocks.training.map_numbers import Grid
from ganblocks.training.pictures import to_bytes
from ganblocks.training.reading import check_tensors
from ganblocks.values import Player

BUDGET = 1 << 20
"""Bytes of the maps of one block at one moment, at most."""
MOMENTS = 16
"""Moments that are read of a run, at most."""
FOLDER = "attention"
"""The subfolder of a run that holds them."""


@frozen(eq=False)
class ByteMaps:
    """Maps of one block for display, each row as bytes: its numbers over the row's largest, times 255.

    Where the maps have too many numbers, only every ``step``-th query of each axis is kept, and cells of ``pooled`` by
    ``pooled`` keys are added up.
    """

    rows: Tensor
    """uint8 [B, heads, n, m]."""
    largest: Tensor
    """float32 [B, heads, n]: the largest number of each row."""
    queries: Grid
    """Height and width of the grid of all queries."""
    keys: Grid
    """Height and width of the grid of keys, after pooling."""
    step: int = 1
    pooled: int = 1

    @classmethod
    def of(cls, attention: Tensor, queries: Grid, keys: Grid, budget: int = BUDGET, copies: int | None = None) -> ByteMaps:
        """Return maps [B, heads, N, M] as bytes, at most ``budget`` of them where the grids allow it.

        ``copies``: as if there were so many maps, of which these are a part.
        """
        step, pooled = reduction(copies or attention.shape[:2].numel(), queries, keys, budget)
        every = attention.view(*attention.shape[:2], *queries, -1)[:, :, ::step, ::step].flatten(2, 3)
        cells = every.reshape(-1, 1, *keys)
        cells = avg_pool2d(cells, pooled) * pooled**2 if pooled > 1 else cells
        small = (cells.shape[-2], cells.shape[-1])
        rows = cells.reshape(*every.shape[:3], -1)
        largest = rows.amax(-1)
        scaled = rows / largest.clamp_min(torch.finfo(rows.dtype).tiny).unsqueeze(-1)
        return cls(scaled.mul(255).round().to(torch.uint8).cpu(), largest.float().cpu(), queries, small, step, pooled)

    @classmethod
    def of_record(cls, record: BlockRecord, budget: int = BUDGET) -> ByteMaps:
        """Return the maps of an examined block, made a few images at a time. Only within the ``read`` of ``examine``."""
        parts = [
            cls.of(attention, record.queries, keys, budget, len(record.x) * attention.shape[1])
            for _, attention, keys in record.maps()
        ]
        rows, largest = (torch.cat([getattr(part, name) for part in parts]) for name in ("rows", "largest"))
        return evolve(parts[0], rows=rows, largest=largest)

    @property
    def attention(self) -> Tensor:
        """float32 [B, heads, n, m]: the maps to within half a byte step of each row's largest number."""
        return self.rows.float() / 255 * self.largest.unsqueeze(-1)


def reduction(copies: int, queries: Grid, keys: Grid, budget: int) -> tuple[int, int]:
    """Return (step of the queries, side of the pooled cells of keys) so that ``copies`` maps take at most ``budget`` bytes.

    Queries are thinned out first, down to about 16 × 16 of them; then keys are pooled as far as their grid can be halved.
    """
    step = pooled = 1

    def size() -> int:
        rows = -(-queries[0] // step) * -(-queries[1] // step)
        return copies * rows * (keys[0] // pooled) * (keys[1] // pooled)

    while size() > budget and max(queries) // (2 * step) >= 16:
        step *= 2
    while size() > budget and all(side % (2 * pooled) == 0 and side // pooled > 8 for side in keys):
        pooled *= 2
    while size() > budget and max(queries) // (2 * step) >= 2:
        step *= 2
    return step, pooled


@frozen(eq=False)
class Moment:
    """The maps of a network at one moment of a run, and the images that they belong to."""

    images_seen: int
    images: dict[str, Tensor]
    """Network -> uint8 [B, C, H, W]."""
    labels: dict[str, list[int]]
    """Network -> classes; empty if there are none."""
    maps: dict[str, ByteMaps]
    """Path of a block -> its maps."""

    def add(self, name: str, records: Iterable[BlockRecord], image: Tensor, label: Tensor | None) -> None:
        """Add the maps of a network: its examined blocks, images [B, C, H, W] in [-1, 1] and labels [B] | None."""
        self.images[name] = to_bytes(image).cpu()
        self.labels[name] = [] if label is None else label.tolist()
        self.maps.update({record.path: ByteMaps.of_record(record) for record in records if record.has_map})


def moment_of(images_seen: int, networks: Mapping[Player, nn.Module], examples: Examples) -> Moment:
    """Return the maps of networks on the inputs that are shown of a run; there are none without a block that has a map."""
    moment = Moment(images_seen, {}, {}, {})
    for player, network in networks.items():
        if any(isinstance(module, AttentionMap) for module in network.modules()):
            inputs = examples.shown(player)
            examine(str(player), network, inputs, partial(_add, moment, str(player), inputs))
    return moment


def _add(moment: Moment, name: str, inputs: Inputs, records: list[BlockRecord], output: Any) -> None:
    moment.add(name, records, image_of(inputs, output), inputs[1])


def write_moment(run: Path, moment: Moment) -> None:
    """Write the maps of a moment, if there are any, into the run folder. A file that cannot be written is a warning."""
    if not moment.maps:
        return
    tensors = {f"image/{name}": image.contiguous() for name, image in moment.images.items()}
    facts: dict[str, Any] = {"labels": moment.labels, "blocks": {}}
    for path, maps in moment.maps.items():
        tensors |= {f"rows/{path}": maps.rows.contiguous(), f"largest/{path}": maps.largest.contiguous()}
        facts["blocks"][path] = asdict(maps, filter=lambda field, _: field.name in ("queries", "keys", "step", "pooled"))
    target = run / FOLDER / f"images-{moment.images_seen:010d}.safetensors"
    try:
        target.parent.mkdir(exist_ok=True)
        with replace_file(target, durable=False) as file:
            file.write(save(tensors, {"maps": json.dumps(facts, sort_keys=True)}))
    except OSError as error:
        warnings.warn(f"{target}: cannot be written: {error.strerror or error}; training continues", stacklevel=2)


def read_moments(run: Path, most: int = MOMENTS) -> list[Moment]:
    """Return at most ``most`` moments of a run folder, evenly spaced, in order; the last is among them.

    A file that cannot be read is a warning, and left out.
    """
    paths, moments = sorted((run / FOLDER).glob("images-*.safetensors")), []
    if len(paths) > most:
        paths = [paths[(i + 1) * len(paths) // most - 1] for i in range(most)]
    for path in paths:
        try:
            moments.append(_read(path))
        except Exception as error:  # whatever a damaged file leads to
            reason = error if isinstance(error, CheckpointError) else f"{path}: damaged: not what ganblocks writes"
            warnings.warn(f"{reason}; these maps are left out", stacklevel=2)
    return moments


def _read(path: Path) -> Moment:
    check_tensors(path)
    with safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["maps"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    maps = {
        block: _checked(ByteMaps(tensors[f"rows/{block}"], tensors[f"largest/{block}"], **_grids(fact)))
        for block, fact in facts["blocks"].items()
    }
    images = {name.removeprefix("image/"): image for name, image in tensors.items() if name.startswith("image/")}
    labels = {name: [int(label) for label in facts["labels"][name]] for name in images}
    counts = {name: len(image) for name, image in images.items()}
    if any(image.dtype != torch.uint8 or image.ndim != 4 for image in images.values()):
        raise ValueError
    if any(len(labels[name]) not in (0, count) for name, count in counts.items()):
        raise ValueError
    if any(len(one.rows) != counts.get(path.partition(".")[0]) for path, one in maps.items()):
        raise ValueError
    return Moment(int(path.stem.removeprefix("images-")), images, labels, maps)


def _grids(fact: Mapping[str, Any]) -> dict[str, Any]:
    queries, keys = (tuple(int(side) for side in fact[name]) for name in ("queries", "keys"))
    return {"queries": queries, "keys": keys, "step": int(fact["step"]), "pooled": int(fact["pooled"])}


def _checked(maps: ByteMaps) -> ByteMaps:
    """Return the maps. Raise ValueError if they do not fit their grids."""
    if min(maps.step, maps.pooled, *maps.queries, *maps.keys) < 1:
        raise ValueError
    rows = [-(-side // maps.step) for side in maps.queries]
    fits = maps.rows.shape[2:] == (rows[0] * rows[1], maps.keys[0] * maps.keys[1])
    if not fits or maps.rows.dtype != torch.uint8 or maps.largest.shape != maps.rows.shape[:3]:
        raise ValueError
    return maps
