"""What a network costs, block by block, measured on the meta device: nothing is allocated and nothing is computed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


@frozen
class BlockCost:
    """One direct child of a network."""

    name: str
    kind: str
    """The module's class."""
    parameters: int
    flops: int
    """Floating point operations of one forward of one image (a multiply-add counts as two)."""
    activations: int
    """Bytes that autograd keeps for the backward pass of one image, in float32."""


@frozen
class NetworkCost:
    """A network and its blocks."""

    blocks: tuple[BlockCost, ...]
    parameters: int
    flops: int
    activations: int


def cost(network: nn.Module, *inputs: Tensor | None) -> NetworkCost:
    """Run one forward on the meta device and add up.

    Args:
        network: built under ``torch.device("meta")``.
        inputs: what the network takes, on the meta device; the first dimension is the batch.

    """
    batch = next(len(x) for x in inputs if x is not None)
    counter = FlopCounterMode(display=False)
    with counter, _kept_bytes(network) as kept:
        network(*inputs)
    flops = {name.split(".", 1)[-1]: sum(ops.values()) // batch for name, ops in counter.get_flop_counts().items()}
    blocks = tuple(
        BlockCost(name, type(child).__name__, parameters(child), flops.get(name, 0), kept[name] // batch)
        for name, child in network.named_children()
    )
    total = sum(counter.get_flop_counts()["Global"].values()) // batch
    return NetworkCost(blocks, parameters(network), total, sum(kept.values()) // batch)


def parameters(module: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in module.parameters())


@contextmanager
def _kept_bytes(network: nn.Module) -> Iterator[dict[str, int]]:
    """Bytes saved for backward, by direct child; each storage counts once, parameters and buffers not at all."""
    kept: dict[str, int] = defaultdict(int)
    own = {_storage(tensor) for tensor in (*network.parameters(), *network.buffers())}
    seen: dict[int, Any] = {}
    current = [""]

    def pack(tensor: Tensor) -> Tensor:
        key = _storage(tensor)
        if key not in own and key not in seen:
            seen[key] = tensor  # keeps the storage alive, so that its identity is not used again
            kept[current[0]] += tensor.untyped_storage().nbytes()
        return tensor

    def enter(name: str) -> Callable[..., None]:
        return lambda *_: current.__setitem__(0, name)

    handles = []
    for name, child in network.named_children():
        handles += [child.register_forward_pre_hook(enter(name)), child.register_forward_hook(enter(""))]
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            yield kept
    finally:
        for handle in handles:
            handle.remove()


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
