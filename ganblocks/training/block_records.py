"""What the blocks of a network do to given inputs: their attention maps, their γ and how much they change their input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks.game import unchanged_buffers
from ganblocks.kinds.module_capabilities import AttentionMap, Gated
from ganblocks.training.hooks import observing
from ganblocks.training.map_numbers import Grid
from ganblocks.weights import shared_weights

MAPPED_POSITIONS = 4096
"""Positions of a feature map above which no map is made: that of one image would have hundreds of megabytes."""
AT_ONCE = 1 << 24
"""Numbers of the maps that are made at once, about."""
T = TypeVar("T")


@frozen(eq=False)
class BlockRecord:
    """One block, gated or with an attention map, and what it did in one forward."""

    path: str
    module: nn.Module
    x: Tensor
    """Its input [B, C, H, W]."""
    gamma: Tensor | None
    """γ, 0-dim; None if the block is not gated."""
    change: Tensor
    """‖y - x‖ / ‖x‖ of its input x and output y, 0-dim."""

    @property
    def queries(self) -> Grid:
        """Height and width of the grid of queries."""
        return self.x.shape[2], self.x.shape[3]

    @property
    def has_map(self) -> bool:
        """Whether the block has a map, of more than one key and of no more positions than MAPPED_POSITIONS."""
        positions = self.queries[0] * self.queries[1]
        return isinstance(self.module, AttentionMap) and 1 < positions <= MAPPED_POSITIONS

    @property
    def keys_seen(self) -> int | None:
        """How many keys each query can see; None: all."""
        assert isinstance(self.module, AttentionMap), "the caller chooses blocks with a map"
        return self.module.keys_seen()

    def maps(self, images: int | None = None) -> Iterator[tuple[slice, Tensor, Grid]]:
        """Yield (part of the batch, maps [b, heads, N, M] in float32, grid of the keys), a few images at a time.

        ``images``: of the first so many; by default of all. Only within the ``read`` of :func:`examine`.
        """
        assert isinstance(self.module, AttentionMap), "the caller chooses blocks with a map"
        total = len(self.x) if images is None else min(images, len(self.x))
        size = max(1, AT_ONCE // (self.queries[0] * self.queries[1]) ** 2)
        for start in range(0, total, size):
            part = slice(start, min(start + size, total))
            attention, keys = self.module.attention_map(self.x[part])
            yield part, attention.float(), keys


@torch.no_grad()
def examine(name: str, network: nn.Module, inputs: Sequence[Tensor | None], read: Callable[[list[BlockRecord], Any], T]) -> T:
    """Run a network in evaluation mode and return what ``read`` makes of its blocks and of its output.

    The network is left as it was.

    Args:
        name: begins the path of every block.
        network: of a player.
        inputs: latents [B, Z] or images [B, C, H, W], and labels [B] | None.
        read: (records of the blocks, output) -> result, while the network is in evaluation mode.
    """
    records: list[BlockRecord] = []

    def record(path: str, module: nn.Module, x: tuple[Tensor, ...], y: Tensor) -> None:
        records.append(_record(f"{name}.{path}", module, x[0], y))

    blocks = [(path, module) for path, module in network.named_modules() if is_examined(module)]
    training = network.training
    network.eval()
    try:
        with unchanged_buffers(network), shared_weights(network):
            with observing(blocks, record):
                output = network(*inputs)
            return read(records, output)
    finally:
        network.train(training)


def is_examined(module: nn.Module) -> bool:
    """Return whether a module is a block that is recorded: gated, or with an attention map."""
    return isinstance(module, AttentionMap | Gated)


def image_of(inputs: Sequence[Tensor | None], output: object) -> Tensor:
    """Return the images [B, C, H, W] of a forward: a discriminator's input, or a generator's output."""
    first = inputs[0]
    if first is not None and first.ndim == 4:
        return first
    assert isinstance(output, Tensor), "what takes no images makes them"
    return output.float()


def _record(path: str, module: nn.Module, x: Tensor, y: Tensor) -> BlockRecord:
    before, after = x.float(), y.float()
    change = (after - before).norm() / before.norm().clamp_min(torch.finfo(before.dtype).tiny)
    gamma = module.gamma.detach() if isinstance(module, Gated) else None
    return BlockRecord(path, module, x.detach(), gamma, change)
