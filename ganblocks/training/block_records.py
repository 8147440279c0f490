"""What the blocks of a network do to given inputs: their attention maps, their γ and how much they change their input."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks.game import unchanged_buffers
from ganblocks.kinds.module_capabilities import AttentionMap, Gated
from ganblocks.training.hooks import observing
from ganblocks.training.map_numbers import Grid
from ganblocks.weights import shared_weights


@frozen(eq=False)
class BlockRecord:
    """One block, gated or with an attention map, and what it did in one forward."""

    path: str
    gamma: Tensor | None
    """γ, 0-dim; None if the block is not gated."""
    change: Tensor
    """‖y - x‖ / ‖x‖ of its input x and output y, 0-dim."""
    queries: Grid
    attention: Tensor | None = None
    """[B, heads, N, M]; None if the block has no map."""
    keys: Grid = (0, 0)


@torch.no_grad()
def record_blocks(name: str, network: nn.Module, *inputs: Tensor | None) -> tuple[list[BlockRecord], Any]:
    """Return the records of a network's blocks on ``inputs``, and its output. The network is left as it was.

    Args:
        name: begins the path of every block.
        network: examined in evaluation mode.
        inputs: latents [B, Z] or images [B, C, H, W], and labels [B] | None.
    """
    records: list[BlockRecord] = []

    def record(path: str, module: nn.Module, x: tuple[Tensor, ...], y: Tensor) -> None:
        records.append(_record(f"{name}.{path}", module, x[0], y))

    blocks = [(path, module) for path, module in network.named_modules() if is_examined(module)]
    training = network.training
    network.eval()
    try:
        with unchanged_buffers(network), shared_weights(network), observing(blocks, record):
            return records, network(*inputs)
    finally:
        network.train(training)


def is_examined(module: nn.Module) -> bool:
    """Return whether a module is a block that is recorded: gated, or with an attention map."""
    return isinstance(module, AttentionMap | Gated)


def _record(path: str, module: nn.Module, x: Tensor, y: Tensor) -> BlockRecord:
    before, after = x.float(), y.float()
    change = (after - before).norm() / before.norm().clamp_min(torch.finfo(before.dtype).tiny)
    gamma = module.gamma.detach() if isinstance(module, Gated) else None
    queries = (x.shape[2], x.shape[3])
    if not isinstance(module, AttentionMap):
        return BlockRecord(path, gamma, change, queries)
    attention, keys = module.attention_map(x)
    return BlockRecord(path, gamma, change, queries, attention.float(), keys)
