"""How mimicry and PyTorch-StudioGAN name the weights of these networks, and how their class tables become ours.

``peers`` holds the options with which our networks compute what theirs do.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Player, ReadsForeign
from ganblocks_resnet.peers import refuse_other_functions

State = Mapping[str, Tensor]
LAYOUTS = ("mimicry", "studiogan")
STALE = 0.01
"""Relative difference between σ of a class table and u · W v of the file above which a warning says so."""
_SUFFIXES = {".layer.weight": ".weight_orig", ".layer.bias": ".bias", ".u": ".weight_u", ".v": ".weight_v", ".gamma": ""}
"""Ends of our names whose counterparts differ."""
_KEY = re.compile(r"(.*?)((?:\.layer)?\.(?:weight|bias)|\.(?:u|v|gain|gamma|running_mean|running_var|num_batches_tracked)|)")
"""Layer and end of one of our names."""


class ReadsWeights(ReadsForeign):
    """A network that reads the weights of mimicry's and PyTorch-StudioGAN's."""

    layouts: ClassVar[tuple[str, ...]] = LAYOUTS
    player: ClassVar[Player]

    def from_foreign(self, layout: str, network: nn.Module, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the state of ``network`` from theirs, of the same shapes. Raise KeyError or PlacementError if it differs."""
        refuse_other_functions(layout, self.player, self, theirs)
        return ours(layout, self.player, network, theirs)


@frozen
class Names:
    """How a layout names the parts of one network."""

    outer: Mapping[str, str]
    """Our layers outside of blocks -> theirs."""
    block: Callable[[int], str]
    """Number of our block -> prefix of theirs."""
    layers: Mapping[str, str]
    """Our layers of a block -> theirs."""
    attention: Mapping[str, str]
    """Our layers of the attention block -> theirs; its gate is ""."""

    def of(self, name: str) -> str:
        """Return their name of our layer ``name``, such as "block2.conv1". Raise KeyError if the layout has none."""
        if name in self.outer:
            return self.outer[name]
        if match := re.fullmatch(r"block(\d+)\.([^.]+)\.?(.*)", name):
            number, layer, inner = match.groups()
            if layer != "attention":
                return ".".join(filter(None, (self.block(int(number)) + self.layers.get(layer, layer), inner)))
            if inner in self.attention:
                return self.attention[inner]
        raise KeyError(f"the layout has no name for {name} of the recipe's network")


def _mimicry(player: Player, blocks: int, attended: int) -> Names:
    """Generators end with b and c and count blocks from 2; discriminators end with l and l_y."""
    ends = {"final_norm": f"b{blocks + 2}", "conv": f"c{blocks + 2}", "head.linear": f"l{blocks + 1}", "head.embedding": "l_y"}
    shift = 1 if player is Player.GENERATOR else 0
    roles = {"": "gamma", "query": "theta", "key": "phi", "value": "g", "out": "o"}
    return Names(
        outer={"linear": "l1"} | ends,
        block=lambda number: f"block{number + shift}.",
        layers={"conv1": "c1", "conv2": "c2", "shortcut": "c_sc", "norm1": "b1", "norm2": "b2"},
        attention={role: f"attn_block.{name}" for role, name in roles.items()},
    )


def _studiogan(player: Player, blocks: int, attended: int) -> Names:
    """Blocks and the attention block share one list, each inside a list of its own."""
    ends = {"final_norm": "bn4", "conv": "conv2d5", "head.linear": "linear1", "head.embedding": "embedding"}
    roles = {"": "sigma", "query": "conv1x1_theta", "key": "conv1x1_phi", "value": "conv1x1_g", "out": "conv1x1_attn"}
    return Names(
        outer={"linear": "linear0", "embedding": "shared"} | ends,
        block=lambda number: f"blocks.{number - 1 + (number > attended)}.0.",
        layers={"conv1": "conv2d1", "conv2": "conv2d2", "shortcut": "conv2d0", "norm1": "bn1", "norm2": "bn2"},
        attention={role: f"blocks.{attended}.0.{name}" for role, name in roles.items()},
    )


class _Recorded(dict[str, Tensor]):
    """A dictionary that records which entries are read."""

    def __init__(self, theirs: State) -> None:
        super().__init__(theirs)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.read.add(name)
        return super().__getitem__(name)


def ours(layout: str, player: Player, network: nn.Module, theirs: State) -> dict[str, Tensor]:
    """Return the whole state of our ``network`` from another framework's, which it must use up.

    Args:
        layout: one of LAYOUTS.
        player: the player of the network.
        network: our network as built, of the same shape: a new table of gains holds 1, or 0 if it is added to 1.
        theirs: name -> tensor of any shape.

    Raises:
        KeyError: names the entry of theirs that is missing, has another shape, or has no counterpart in ours.

    """
    theirs = _Recorded(_with_torch_spectral_norm(theirs))
    state = network.state_dict()
    blocks = max(int(number) for key in state for number in re.findall(r"^block(\d+)\.", key))
    attended = min((int(n) for key in state for n in re.findall(r"^block(\d+)\.attention\.", key)), default=blocks + 1)
    names = (_studiogan if layout == "studiogan" else _mimicry)(player, blocks, attended)
    converted = {key: _converted(theirs, names, key, layout, value) for key, value in state.items()}
    unused = [name for name in theirs if name not in theirs.read and not name.endswith(".num_batches_tracked")]
    if unused:
        listed = ", ".join(unused[:3]) + (" and more" if len(unused) > 3 else "")
        raise KeyError(f"{listed} would have no counterpart in the recipe's network")
    return converted


def _with_torch_spectral_norm(theirs: State) -> State:
    """Rename layers of mimicry's own spectral norm, which its cGAN-PD has by the order of its imports, to torch's hook.

    Mimicry keeps u only, and takes one step of the power method from it in every forward.
    """
    state = dict(theirs)
    for layer in [name.removesuffix(".sn_u") for name in theirs if name.endswith(".sn_u")]:
        weight, start = state.pop(f"{layer}.weight"), state.pop(f"{layer}.sn_u").flatten()
        state.pop(f"{layer}.sn_sigma", None)
        v = functional.normalize(weight.flatten(1).mT @ start, dim=0)
        u = functional.normalize(weight.flatten(1) @ v, dim=0)
        state |= {f"{layer}.weight_orig": weight, f"{layer}.weight_u": u, f"{layer}.weight_v": v}
    return state


def _converted(theirs: State, names: Names, key: str, layout: str, mine: Tensor) -> Tensor:
    """Return the entry ``key`` of our state from theirs, in the shape of ``mine``."""
    match = _KEY.fullmatch(key)
    assert match is not None, "the pattern matches every name"
    our_layer, suffix = match.groups()
    layer = names.of(our_layer)
    tabled = suffix in (".gain", ".bias") and our_layer.endswith((".norm1", ".norm2"))
    value = _class_table(theirs, layer, suffix == ".gain", layout) if tabled else None
    if value is None:
        value = _entry(theirs, layer, suffix)
    elif suffix == ".gain" and not mine.any():
        value = value - 1
    name = layer + _SUFFIXES.get(suffix, suffix)
    if value.shape != mine.shape and not value.numel() == mine.numel() == 1:
        raise KeyError(f"{name} has shape {tuple(value.shape)}, and ours has {tuple(mine.shape)}")
    if not value.isfinite().all():
        raise KeyError(f"{name} holds numbers that are not finite")
    return value.reshape(mine.shape).to(mine.dtype)


def _entry(theirs: State, layer: str, suffix: str) -> Tensor:
    """Return a plain tensor; the statistics of a conditional batch norm are one level deeper in theirs."""
    name = layer + _SUFFIXES.get(suffix, suffix)
    for candidate in (name, layer + ".bn" + suffix):
        if candidate in theirs:
            return _columns(theirs, layer) if suffix == ".v" else theirs[candidate]
    if suffix == ".num_batches_tracked":
        return torch.zeros((), dtype=torch.int64)
    other = [norm for weight, norm in ((".weight_orig", "spectral"), (".weight", "none")) if layer + weight in theirs]
    weight = ".weight_orig" if other == ["spectral"] else ".weight"
    hint = f', and {layer}{weight} is; use weight_norm = "{other[0]}"' if other else ""
    raise KeyError(f"{name} is not in the file{hint}")


def _columns(theirs: State, layer: str) -> Tensor:
    """Return v of spectral norm, [h · w · in]: it follows (in, h, w) in theirs and (h, w, in) in ours."""
    v, shape = theirs[f"{layer}.weight_v"], theirs[f"{layer}.weight_orig"].shape
    if v.numel() != shape[1:].numel():
        raise KeyError(f"{layer}.weight_v has shape {tuple(v.shape)} beside a weight of shape {tuple(shape)}")
    return v.reshape(shape[1:]).permute(1, 2, 0).flatten() if len(shape) == 4 else v


def _class_table(theirs: State, layer: str, gain: bool, layout: str) -> Tensor | None:
    """Return the class table [K, C] of gains or biases; None if their norm is not conditional."""
    if layout == "mimicry":
        table = f"{layer}.embed.weight"
        return theirs[table].chunk(2, dim=1)[0 if gain else 1] if table in theirs else None
    embedding, linear = f"{layer}.embed{0 if gain else 1}", f"{layer}.{'gain' if gain else 'bias'}"
    for name in (embedding, linear):
        if f"{name}.weight" in theirs or f"{name}.weight_orig" in theirs:
            rows = _divided(theirs, name) if name == embedding else _divided(theirs, name).mT
            return rows + 1 if gain else rows
    return None


def _divided(theirs: State, name: str) -> Tensor:
    """Return a table as it is used. Theirs may be under spectral norm, ours never is; σ is the exact one."""
    if f"{name}.weight" in theirs:
        return theirs[f"{name}.weight"]
    weight, u, v = (theirs[f"{name}.weight_{part}"] for part in ("orig", "u", "v"))
    sigma, stored = torch.linalg.matrix_norm(weight, 2), torch.dot(u, weight @ v)
    if not abs(sigma - stored) <= STALE * sigma:
        warnings.warn(f"{name}: σ is {float(sigma):.4g}, and {float(stored):.4g} by the file's u and v", stacklevel=2)
    table: Tensor = weight / sigma
    return table
