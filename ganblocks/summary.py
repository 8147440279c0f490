"""The cost of a network, block by block, measured on the meta device: nothing is allocated or computed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ganblocks.assembly import build_discriminator, build_generator
from ganblocks.kinds.module_capabilities import AttentionMap, Gated
from ganblocks.meta import compiler_not_imported, on_meta
from ganblocks.recipe import Recipe
from ganblocks.values import ImageSpec, Player


@frozen
class BlockCost:
    """One direct child of a network, or an attention block inside one."""

    name: str
    kind: str
    """The module's class."""
    parameters: int
    flops: int
    """Floating point operations per image of one forward pass (a multiply-add counts as two)."""
    activations: int
    """Bytes per image that autograd keeps for the backward pass, in float32."""


@frozen
class NetworkCost:
    """A network and its blocks."""

    blocks: tuple[BlockCost, ...]
    parameters: int
    flops: int
    activations: int


def network_costs(recipe: Recipe, image: ImageSpec) -> dict[Player, NetworkCost]:
    """Return both networks' costs at the recipe's microbatch."""
    batch = 1 + (recipe.training.microbatch or recipe.training.batch)
    with on_meta():
        label = torch.zeros(batch, dtype=torch.int64) if image.classes else None
        latent = torch.empty(batch, recipe.generator.latent)
        picture = torch.empty(batch, *image.shape)
        return {
            Player.GENERATOR: cost(build_generator(recipe, image, seed=0), latent, label),
            Player.DISCRIMINATOR: cost(build_discriminator(recipe, image, seed=0), picture, label),
        }


def cost(network: nn.Module, *inputs: Tensor | None) -> NetworkCost:
    """Return the cost per image: the difference of two forward passes whose batches differ by one image.

    This excludes what does not grow with the batch, such as normalised weights. The batches are close to the recipe's, because
    a network may choose another algorithm for large batches (a folded upsampling).

    Args:
        network: built under ``torch.device("meta")``.
        inputs: arguments of the network on the meta device, such as [B, Z] or [B, C, H, W]; B is the intended batch plus one.

    """
    more = next(len(x) for x in inputs if x is not None)
    one, other = _measured(network, inputs, more), _measured(network, inputs, more - 1)

    def per_image(key: str, which: int) -> int:
        return one[which].get(key, 0) - other[which].get(key, 0)

    blocks = tuple(
        BlockCost(name, type(module).__name__, parameters(module), per_image(name, 0), per_image(name, 1))
        for name, module in blocks_of(network)
    )
    top = [name for name, _ in network.named_children()]
    total = sum(per_image(name, 0) for name in top), sum(per_image(name, 1) for name in ("", *top))
    return NetworkCost(blocks, parameters(network), *total)


def blocks_of(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the direct children of a network, and the attention blocks inside them."""
    named = dict(network.named_modules())
    return [
        (name, module)
        for name, module in named.items()
        if name and ("." not in name or (isinstance(module, AttentionMap | Gated)))
    ]


def _measured(network: nn.Module, inputs: Sequence[Tensor | None], batch: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return floating point operations, and bytes kept for backward, by block."""
    from torch.utils.flop_counter import FlopCounterMode, _FlopCounterMode  # imports triton, where that is installed

    counter = FlopCounterMode(display=False)
    with compiler_not_imported(_FlopCounterMode), counter, _kept_bytes(network) as kept:
        # copies, because a slice keeps the storage of all inputs, which then seems not to grow with the batch
        network(*(None if x is None else x[:batch].clone() for x in inputs))
    counts = {name.split(".", 1)[-1]: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    return counts, kept


def parameters(module: nn.Module) -> int:
    """Return the number of weights and biases, including frozen ones."""
    return sum(parameter.numel() for parameter in module.parameters())


@contextmanager
def _kept_bytes(network: nn.Module) -> Iterator[dict[str, int]]:
    """Count the bytes saved for backward, by block; each storage counts once, parameters and buffers not at all."""
    kept: dict[str, int] = defaultdict(int)
    own = {_storage(tensor) for tensor in (*network.parameters(), *network.buffers())}
    seen: dict[int, Tensor] = {}
    inside = [""]

    def pack(tensor: Tensor) -> Tensor:
        key = _storage(tensor)
        if key not in own and key not in seen:
            seen[key] = tensor  # keeps the storage alive, so that its id is not reused
            for name in inside if len(inside) == 1 else inside[1:]:
                kept[name] += tensor.untyped_storage().nbytes()
        return tensor

    def entering(name: str) -> Callable[..., None]:
        return lambda *_: inside.append(name)

    def leaving(*_: object) -> None:
        inside.pop()

    handles: list[RemovableHandle] = []
    for name, module in blocks_of(network):
        handles += [module.register_forward_pre_hook(entering(name)), module.register_forward_hook(leaving)]
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            yield kept
    finally:
        for handle in handles:
            handle.remove()


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
