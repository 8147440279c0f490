"""How mimicry and PyTorch-StudioGAN name the weights of these networks, and how their tables become ours.

What they compute beside that, and which options of ours compute it, stands in ``peers``.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Player

State = Mapping[str, Tensor]
Names = Callable[[str, int, int], str]
"""(our place, such as "block2.conv1"; the number of blocks; the block that attention follows, or more than all) -> theirs."""

LAYOUTS = ("mimicry", "studiogan")
STALE = 0.01
"""How far σ of a class table may be from what the file's u and v say before it is worth a word."""
_SUFFIXES = {".layer.weight": ".weight_orig", ".layer.bias": ".bias", ".u": ".weight_u", ".v": ".weight_v"}
_MIMICRY = {"conv1": "c1", "conv2": "c2", "shortcut": "c_sc", "norm1": "b1", "norm2": "b2"}
_STUDIOGAN = {"conv1": "conv2d1", "conv2": "conv2d2", "shortcut": "conv2d0", "norm1": "bn1", "norm2": "bn2"}


class _Noted(dict[str, Tensor]):
    """Remembers which entries were read."""

    def __init__(self, theirs: State) -> None:
        super().__init__(theirs)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.read.add(name)
        return super().__getitem__(name)


def ours(layout: str, player: Player, network: nn.Module, theirs: State) -> dict[str, Tensor]:
    """Our network's state, every entry of it, from another framework's, of which no entry is left over.

    Args:
        layout: one of LAYOUTS.
        player: whose network it is.
        network: ours, of the same shape, as it was built: a table of gains holds 1, or 0 where it is what is added to 1.
        theirs: name -> tensor.

    Raises:
        KeyError: the name of theirs that is not there, whose shape does not fit, or that has no place in ours.

    """
    names = _studiogan if layout == "studiogan" else _mimicry_generator if player is Player.GENERATOR else _mimicry
    theirs = _with_hooks(theirs)
    state, noted = network.state_dict(), _Noted(theirs)
    blocks = max(int(number) for key in state for number in re.findall(r"^block(\d+)\.", key))
    attended = min((int(n) for key in state for n in re.findall(r"^block(\d+)\.attention\.", key)), default=blocks + 1)
    found = {}
    for key, mine in state.items():
        place, suffix = _split(key)
        found[key] = _found(noted, names(place, blocks, attended), suffix, layout, mine)
    left = [name for name in theirs if name not in noted.read and not name.endswith(".num_batches_tracked")]
    if left:
        raise KeyError(
            f"{', '.join(left[:3])}{' and more' if len(left) > 3 else ''} would have no place in the recipe's network"
        )
    return found


def _with_hooks(theirs: State) -> State:
    """Layers of mimicry's own spectral norm (of its cGAN-PD, by the order of its imports) under the names of torch's hook.

    Theirs keeps u alone, and takes one step of the power method from it in every forward.
    """
    found = dict(theirs)
    for place in [name.removesuffix(".sn_u") for name in theirs if name.endswith(".sn_u")]:
        weight, start = found.pop(f"{place}.weight"), found.pop(f"{place}.sn_u").flatten()
        found.pop(f"{place}.sn_sigma", None)
        v = functional.normalize(weight.flatten(1).mT @ start, dim=0)
        u = functional.normalize(weight.flatten(1) @ v, dim=0)
        found |= {f"{place}.weight_orig": weight, f"{place}.weight_u": u, f"{place}.weight_v": v}
    return found


def _found(theirs: State, place: str, suffix: str, layout: str, mine: Tensor) -> Tensor:
    """One entry of ours, shaped as ``mine``."""
    value = _table(theirs, place, suffix, layout) if suffix in (".gain", ".bias table") else None
    if value is None:
        value = _entry(theirs, place, suffix)
    elif suffix == ".gain" and not mine.any():
        value = value - 1
    name = place + _SUFFIXES.get(suffix, suffix)
    if value.shape != mine.shape and not value.numel() == mine.numel() == 1:
        raise KeyError(f"{name} has shape {tuple(value.shape)}, and ours has {tuple(mine.shape)}")
    if not value.isfinite().all():
        raise KeyError(f"{name} holds numbers that are not finite")
    return value.reshape(mine.shape).to(mine.dtype)


def _split(key: str) -> tuple[str, str]:
    """Take ``block1.conv1.layer.weight`` apart after ``conv1``; a bias that may be a class table says so."""
    for suffix in (*_SUFFIXES, ".gain", ".running_mean", ".running_var", ".num_batches_tracked", ".weight", ".bias", ".gamma"):
        if key.endswith(suffix):
            place = key.removesuffix(suffix)
            return place, ".bias table" if suffix == ".bias" and re.search(r"\.norm[12]$", place) else suffix
    return key, ""


def _entry(theirs: State, place: str, suffix: str) -> Tensor:
    """A plain tensor; batch norm's statistics stand one level deeper where theirs is conditional."""
    suffix = ".bias" if suffix == ".bias table" else suffix
    name = place + ("" if suffix == ".gamma" else _SUFFIXES.get(suffix, suffix))
    for candidate in (name, place + ".bn" + suffix):
        if candidate in theirs:
            return _columns(theirs, place) if suffix == ".v" else theirs[candidate]
    if suffix == ".num_batches_tracked":
        return torch.zeros((), dtype=torch.int64)
    raise KeyError(f"{name} is not in the file{_instead(theirs, place)}")


def _instead(theirs: State, place: str) -> str:
    """What to do where a weight stands there with, or without, spectral norm."""
    for name, norm in ((".weight_orig", "spectral"), (".weight", "none")):
        if f"{place}{name}" in theirs:
            return f', and {place}{name} is; use weight_norm = "{norm}"'
    return ""


def _columns(theirs: State, place: str) -> Tensor:
    """v of spectral norm, which follows a kernel's columns: (in, height, width) there, (height, width, in) in ``spectral``."""
    v, shape = theirs[f"{place}.weight_v"], theirs[f"{place}.weight_orig"].shape
    if v.numel() != shape[1:].numel():
        raise KeyError(f"{place}.weight_v has shape {tuple(v.shape)} beside a weight of shape {tuple(shape)}")
    return v.reshape(shape[1:]).permute(1, 2, 0).flatten() if len(shape) == 4 else v


def _table(theirs: State, place: str, suffix: str, layout: str) -> Tensor | None:
    """The class table [K, C] of gains (themselves) or biases; None where theirs is not conditional."""
    gain = suffix == ".gain"
    if layout == "mimicry":
        if f"{place}.embed.weight" not in theirs:
            return None
        return theirs[f"{place}.embed.weight"].chunk(2, dim=1)[0 if gain else 1]
    name, linear = f"{place}.embed{0 if gain else 1}", f"{place}.{'gain' if gain else 'bias'}"
    for table, turned in ((name, False), (linear, True)):
        if f"{table}.weight" in theirs or f"{table}.weight_orig" in theirs:
            rows = _normalised(theirs, table).mT if turned else _normalised(theirs, table)
            return rows + 1 if gain else rows
    return None


def _normalised(theirs: State, name: str) -> Tensor:
    """A table as it is used: theirs may stand under spectral norm, ours never does. σ is the true one, as settling gives it."""
    if f"{name}.weight" in theirs:
        return theirs[f"{name}.weight"]
    weight, u, v = (theirs[f"{name}.weight_{part}"] for part in ("orig", "u", "v"))
    sigma, there = torch.linalg.matrix_norm(weight, 2), torch.dot(u, weight @ v)
    if not abs(sigma - there) <= STALE * sigma:
        warnings.warn(f"{name}: σ is {float(sigma):.4g}, and {float(there):.4g} by the file's u and v", stacklevel=2)
    table: Tensor = weight / sigma
    return table


def _mimicry_generator(place: str, blocks: int, attended: int) -> str:
    """Whose blocks are counted from 2."""
    name = _mimicry(place, blocks, attended)
    return re.sub(r"^block(\d+)", lambda match: f"block{int(match[1]) + 1}", name)


def _mimicry(place: str, blocks: int, attended: int) -> str:
    """Generators end with b and c, discriminators with l and l_y."""
    if place == "linear":
        return "l1"
    if place in ("final_norm", "conv"):
        return f"{'b' if place == 'final_norm' else 'c'}{blocks + 2}"
    if place in ("head.linear", "head.embedding"):
        return f"l{blocks + 1}" if place == "head.linear" else "l_y"
    number, rest = _block(place)
    if rest.startswith("attention"):
        return f"attn_block.{_role(place, {'': 'gamma', 'query': 'theta', 'key': 'phi', 'value': 'g', 'out': 'o'})}"
    return f"block{number}.{_part(_MIMICRY, rest)}"


def _studiogan(place: str, blocks: int, attended: int) -> str:
    """Blocks and the attention block stand in one list, each in a list of its own."""
    fixed = {
        "linear": "linear0",
        "final_norm": "bn4",
        "conv": "conv2d5",
        "head.linear": "linear1",
        "head.embedding": "embedding",
        "embedding": "shared",
    }
    if place in fixed:
        return fixed[place]
    number, rest = _block(place)
    if rest.startswith("attention"):
        convolutions = {"query": "theta", "key": "phi", "value": "g", "out": "attn"}
        roles = {"": "sigma"} | {role: f"conv1x1_{name}" for role, name in convolutions.items()}
        return f"blocks.{attended}.0.{_role(place, roles)}"
    return f"blocks.{number - 1 + (number > attended)}.0.{_part(_STUDIOGAN, rest)}"


def _role(place: str, roles: Mapping[str, str]) -> str:
    """What theirs calls a layer of the attention block, or its gate."""
    role = place.partition(".attention")[2].removeprefix(".")
    if role not in roles:
        raise KeyError(f"{place} of the recipe's network is nothing that the layout has a name for")
    return roles[role]


def _part(names: Mapping[str, str], rest: str) -> str:
    """A layer of a block, or one within its norm."""
    layer, dot, inner = rest.partition(".")
    return f"{names.get(layer, layer)}{dot}{inner}"


def _block(place: str) -> tuple[int, str]:
    match = re.fullmatch(r"block(\d+)\.(.+)", place)
    if match is None:
        raise KeyError(f"{place} of the recipe's network is nothing that the layout has a name for")
    return int(match[1]), match[2]
