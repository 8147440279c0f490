"""What gated blocks do in a trained network: why γ stays near 0, without a plot."""

from __future__ import annotations

import torch
from attrs import evolve, frozen
from torch import Tensor, nn

from ganblocks.game import named_capable, unchanged_buffers
from ganblocks.kinds.module_capabilities import AttentionMap, Gated
from ganblocks.training.hooks import observing

NEGLIGIBLE = 0.01
"""A block that changes its input by less than this share has almost no effect."""
UNIFORM = 0.99
"""An attention map of more than this share of the largest entropy only averages."""


@frozen
class Gate:
    """One gated block and its effect on a batch."""

    path: str
    gamma: float
    change: float
    """‖y - x‖ / ‖x‖ of its input x and output y."""
    evenness: float | None = None
    """Mean entropy of the rows of its attention map, as a share of the largest possible; 1: every key has the same weight.

    Keys that no query can see, such as those outside its window, do not count.
    """
    live: float | None = None
    """γ of the trained network, if ``gamma`` is that of its average; None if they are the same."""

    def summary(self) -> str:
        """Return what is wrong with the block in one line; empty if it works."""
        if self.change < NEGLIGIBLE:
            average = "" if self.live is None else f" in the averaged network ({self.live:.2g} in the live one)"
            effect = f"γ = {self.gamma:.2g}{average}; it changes its input by {self.change:.1%} and has almost no effect yet"
            advice = "γ moves at its network's rate: train longer, raise the rate, or start it higher (option gamma)"
            return f"{self.path}: {effect}. {advice}"
        if self.evenness is not None and self.evenness > UNIFORM:
            return f"{self.path}: its map has {self.evenness:.1%} of the largest entropy: it only averages its keys"
        return ""


@torch.no_grad()
def gates(name: str, network: nn.Module, *inputs: Tensor | None) -> list[Gate]:
    """Return the gated blocks of a network in evaluation mode on ``inputs``, latents [B, Z] or images [B, C, H, W] and labels.

    The network is left as it was; ``name`` begins the path of every block.
    """
    examined: list[Gate] = []

    def examine(path: str, module: nn.Module, x: tuple[Tensor, ...], y: Tensor) -> None:
        examined.append(_gate(f"{name}.{path}", module, x[0].float(), y.float()))

    training = network.training
    network.eval()
    try:
        with unchanged_buffers(network), observing(named_capable(network, Gated), examine):
            network(*inputs)
    finally:
        network.train(training)
    return examined


def with_live_gamma(gate: Gate, live: nn.Module) -> Gate:
    """Return the gate of an averaged network with the γ of the live one, which is what progress and log show."""
    module = live.get_submodule(gate.path.partition(".")[2])
    assert isinstance(module, Gated)
    return evolve(gate, live=float(module.gamma.detach()))


def _gate(path: str, module: nn.Module, x: Tensor, y: Tensor) -> Gate:
    assert isinstance(module, Gated)
    change = float((y - x).norm() / x.norm().clamp_min(torch.finfo(x.dtype).tiny))
    return Gate(path, float(module.gamma), change, _evenness(module, x) if isinstance(module, AttentionMap) else None)


def _evenness(module: AttentionMap, x: Tensor) -> float | None:
    attention = module.attention_map(x)[0].float()  # of few images: it has N · M numbers each
    keys = (attention > 0).flatten(0, -3).any(0).sum(-1)  # [N]
    entropy = torch.special.entr(attention).sum(-1) / keys.clamp_min(2).log()
    return float(entropy.mean()) if attention.shape[-1] > 1 else None
