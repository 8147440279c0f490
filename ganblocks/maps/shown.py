"""What is shown of a network's attention maps: the maps of some of its images, and numbers over more of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from attrs import evolve, field, frozen
from torch import Tensor, nn

from ganblocks.errors import UsageError
from ganblocks.kinds.module_capabilities import AttentionMap
from ganblocks.training.block_records import MAPPED_POSITIONS, BlockRecord, examine, image_of
from ganblocks.training.examples import Inputs
from ganblocks.training.map_numbers import Grid, MapNumbers
from ganblocks.training.measuring import measured
from ganblocks.training.pictures import to_bytes

NUMBERED = 90
"""Samples, or real images, over which numbers are estimated."""
CHUNK = 15
"""Images per forward where numbers are estimated."""


@frozen(eq=False)
class ShownBlock:
    """One block with an attention map."""

    path: str
    queries: Grid
    keys: Grid
    attention: Tensor
    """Its maps of the images that are shown, [B, heads, N, M] on the CPU."""
    gamma: float | None
    """None if the block is not gated."""
    change: float
    """‖y - x‖ / ‖x‖ of its input and output, over the images that are shown."""
    numbers: MapNumbers
    """Over NUMBERED images."""


@frozen(eq=False)
class ShownNetwork:
    """A network's images, and the blocks that have maps of them."""

    name: str
    """``generator`` or ``discriminator``."""
    images: Tensor
    """uint8 [B, C, H, W]."""
    captions: tuple[str, ...]
    """What each image is, such as its class."""
    blocks: tuple[ShownBlock, ...]
    label: Tensor | None = None
    """int64 [B]."""
    latent: Tensor | None = field(default=None)
    """[B, Z] of a generator."""


def shown_network(name: str, network: nn.Module, shown: Inputs, numbered: Inputs, captions: Sequence[str]) -> ShownNetwork:
    """Return the maps of a network. Raise UsageError if all of its feature maps with attention are too large.

    Args:
        name: of the network.
        network: with a block that has a map.
        shown: latents [B, Z] or images [B, C, H, W], and labels [B] | None, whose maps are shown.
        numbered: the same, over which numbers are estimated.
        captions: of those that are shown.
    """
    numbers = numbers_over(name, network, numbered)

    def read(records: list[BlockRecord], output: object) -> tuple[Tensor, tuple[ShownBlock, ...]]:
        blocks = tuple(_shown(record, numbers[record.path]) for record in records if record.has_map)
        return to_bytes(image_of(shown, output)).cpu(), blocks

    images, blocks = examine(name, network, shown, read)
    if not blocks:
        rule = (
            f"no map is made of more than {MAPPED_POSITIONS:,} positions, and every block of this network with a map has more"
        )
        raise UsageError(f"{name}: {rule}")
    label = None if shown[1] is None else shown[1].cpu()
    return ShownNetwork(name, images, tuple(captions), blocks, label, None if shown[0].ndim == 4 else shown[0].cpu())


def _shown(record: BlockRecord, numbers: MapNumbers) -> ShownBlock:
    parts, keys = [], (0, 0)
    for _, attention, keys in record.maps():  # noqa: B007 - the grid is the same for all
        parts.append(attention.cpu())
    gamma = None if record.gamma is None else float(record.gamma)
    return ShownBlock(record.path, record.queries, keys, torch.cat(parts), gamma, float(record.change), numbers)


def numbers_over(name: str, network: nn.Module, inputs: Inputs) -> dict[str, MapNumbers]:
    """Return path -> numbers of the maps of a network's blocks on latents [n, Z] or images [n, C, H, W], and labels [n]."""
    values: dict[str, dict[str, list[Tensor]]] = {}
    grids: dict[str, tuple[Grid, Grid]] = {}
    for part in chunks(inputs):

        def read(records: list[BlockRecord], output: object, part: Inputs = part) -> None:
            for record in records:
                if record.has_map:
                    numbers, keys = measured(record, image_of(part, output))
                    grids[record.path] = record.queries, keys
                    for number, value in numbers.items():
                        values.setdefault(record.path, {}).setdefault(number, []).append(value.cpu())

        examine(name, network, part, read)
    return {
        path: MapNumbers.of_values({number: torch.cat(parts) for number, parts in of_block.items()}, *grids[path])
        for path, of_block in values.items()
    }


def chunks(inputs: Inputs) -> Iterator[Inputs]:
    """Yield parts of latents [n, Z] or images [n, C, H, W], and labels [n] | None, of CHUNK entries."""
    first, label = inputs
    for start in range(0, len(first), CHUNK):
        part = slice(start, start + CHUNK)
        yield first[part], None if label is None else label[part]


def has_maps(network: nn.Module) -> bool:
    """Return whether a block of the network has an attention map."""
    return any(isinstance(module, AttentionMap) for module in network.modules())


def only_block(networks: Sequence[ShownNetwork], wanted: str | None) -> list[ShownNetwork]:
    """Return the networks with only the blocks whose path is ``wanted``, or ends with it. Raise UsageError if there is none."""
    if wanted is None:
        return list(networks)
    paths = [block.path for network in networks for block in network.blocks]
    matching = {path for path in paths if path == wanted or path.endswith(f".{wanted}")}
    if not matching:
        known = ", ".join(paths)
        raise UsageError(f"--block {wanted}: no block of that path has an attention map; those that have one: {known}")
    kept = (evolve(n, blocks=tuple(b for b in n.blocks if b.path in matching)) for n in networks)
    return [network for network in kept if network.blocks]
