"""What gated blocks do in a trained network: why γ stays near 0, without a plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen
from torch import Tensor, nn

from ganblocks.kinds.module_capabilities import Gated
from ganblocks.training.block_records import BlockRecord, examine, image_of
from ganblocks.training.map_numbers import MapNumbers
from ganblocks.training.measuring import numbers_of

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
    map: MapNumbers | None = None
    """The numbers of its attention map, if it has one."""
    live: float | None = None
    """γ of the trained network, if ``gamma`` is that of its average; None if they are the same."""

    def summary(self) -> str:
        """Return what is wrong with the block in one line; empty if it works."""
        if self.change < NEGLIGIBLE:
            average = "" if self.live is None else f" in the averaged network ({self.live:.2g} in the live one)"
            effect = f"γ = {self.gamma:.2g}{average}; it changes its input by {self.change:.1%} and has almost no effect yet"
            advice = "γ moves at its network's rate: train longer, raise the rate, or start it higher (option gamma)"
            return f"{self.path}: {effect}. {advice}"
        if self.map is not None and self.map.evenness.mean > UNIFORM:
            return f"{self.path}: its map has {self.map.evenness.mean:.1%} of the largest entropy: it only averages its keys"
        return ""


def gates(name: str, network: nn.Module, *inputs: Tensor | None) -> list[Gate]:
    """Return the gated blocks of a network in evaluation mode on ``inputs``, latents [B, Z] or images [B, C, H, W] and labels.

    The network is left as it was; ``name`` begins the path of every block.
    """
    return examine(
        name,
        network,
        inputs,
        lambda records, output: [_gate(one, image_of(inputs, output)) for one in records if one.gamma is not None],
    )


def gate_line(gate: Mapping[str, Any]) -> str:
    """Return what an entry of health.json says: what is wrong with the block, or what it does."""
    if gate["words"]:
        return str(gate["words"])
    line = f"{gate['path']}: γ = {gate['gamma']:.2g}, changes its input by {gate['change']:.1%}"
    if not gate.get("map"):
        return line
    numbers = {name.replace("_", " "): gate["map"][name] for name in ("query_dependence", "evenness")}
    return f"{line}; " + ", ".join(
        f"{name} {value['mean']:.2g} ± {value['margin'] or 0:.1g}" for name, value in numbers.items()
    )


def with_live_gamma(gate: Gate, live: nn.Module) -> Gate:
    """Return the gate of an averaged network with the γ of the live one, which is what progress and log show."""
    module = live.get_submodule(gate.path.partition(".")[2])
    assert isinstance(module, Gated)
    return evolve(gate, live=float(module.gamma.detach()))


def _gate(record: BlockRecord, image: Tensor) -> Gate:
    assert record.gamma is not None, "the caller chooses gated blocks"
    numbers = numbers_of(record, image) if record.has_map else None
    return Gate(record.path, float(record.gamma), float(record.change), numbers)
