"""What gated blocks do in a trained network: an answer to "why does γ stay at 0" that does not need a plot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from attrs import evolve, frozen
from torch import Tensor, nn

from ganblocks.game import unchanged_buffers
from ganblocks.kinds.module_capabilities import AttentionMap, Gated

IDENTITY = 0.01
"""Share of its input that a block must change to count as more than an identity."""
ALIKE = 0.99
"""Share of the largest entropy above which a map looks everywhere alike."""


@frozen
class Gate:
    """One gated block at work."""

    path: str
    gamma: float
    change: float
    """‖y - x‖ / ‖x‖ of its input x and output y."""
    evenness: float | None = None
    """Mean entropy of the rows of its attention map, as a share of the largest possible; 1: every key counts alike.

    Keys that a query never looks at, such as those outside its window, are none of its keys.
    """
    live: float | None = None
    """γ of the network that is trained, where ``gamma`` is that of its average; None: they are one."""

    def words(self) -> str:
        """What is worth saying of it; empty where it works."""
        if self.change < IDENTITY:
            whose = "" if self.live is None else f" in the averaged network ({self.live:.2g} in the live one)"
            effect = f"γ = {self.gamma:.2g}{whose}, and it changes its input by {self.change:.1%}: an identity in effect"
            advice = "γ moves at its network's rate: train longer, raise the rate, or start it higher (option gamma)"
            return f"{self.path}: {effect}. {advice}"
        if self.evenness is not None and self.evenness > ALIKE:
            share = f"its map has {self.evenness:.1%} of the largest entropy"
            return f"{self.path}: {share}: it only averages over the places that it sees"
        return ""


@torch.no_grad()
def gates(name: str, network: nn.Module, *inputs: Tensor | None) -> list[Gate]:
    """The gated blocks of a network as they act on these inputs; the network stays as it is."""
    training = network.training
    network.eval()
    try:
        with unchanged_buffers(network), _looking(name, network) as found:
            network(*inputs)
    finally:
        network.train(training)
    return found


def beside(gate: Gate, live: nn.Module) -> Gate:
    """The gate of an averaged network, with γ of the network that is trained, which is what a run shows as it goes on."""
    module = live.get_submodule(gate.path.partition(".")[2])
    assert isinstance(module, Gated)
    return evolve(gate, live=float(module.gamma.detach()))


@contextmanager
def _looking(name: str, network: nn.Module) -> Iterator[list[Gate]]:
    found: list[Gate] = []
    handles = []
    for path, module in network.named_modules():
        if isinstance(module, Gated) and isinstance(module, nn.Module):

            def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, place: str = f"{name}.{path}") -> None:
                found.append(_gate(place, module, inputs[0].float(), output.float()))

            handles.append(module.register_forward_hook(record))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _gate(path: str, module: nn.Module, x: Tensor, y: Tensor) -> Gate:
    assert isinstance(module, Gated)
    change = float((y - x).norm() / x.norm().clamp_min(torch.finfo(x.dtype).tiny))
    return Gate(path, float(module.gamma), change, _evenness(module, x) if isinstance(module, AttentionMap) else None)


def _evenness(module: AttentionMap, x: Tensor) -> float | None:
    attention = module.attention_map(x)[0].float()  # of few images: it has N · M numbers each
    keys = (attention > 0).flatten(0, -3).any(0).sum(-1)  # [N]
    entropy = torch.special.entr(attention).sum(-1) / keys.clamp_min(2).log()
    return float(entropy.mean()) if attention.shape[-1] > 1 else None
