"""How mimicry and PyTorch-StudioGAN name the weights of these networks, and how their tables become ours.

Spectral norm's vectors come along, so that an imported network computes what it computed there. mimicry upsamples bilinearly,
these networks by nearest neighbours: an imported generator of mimicry's has its weights, and other images.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

State = Mapping[str, Tensor]
Names = Callable[[str, int, int], str]
"""(our place, such as "block2.conv1"; the number of blocks; the block that attention follows, or more than all) -> theirs."""

LAYOUTS = ("mimicry", "studiogan")
_SUFFIXES = {".layer.weight": ".weight_orig", ".layer.bias": ".bias", ".u": ".weight_u", ".v": ".weight_v"}
_MIMICRY = {"conv1": "c1", "conv2": "c2", "shortcut": "c_sc", "norm1": "b1", "norm2": "b2"}
_STUDIOGAN = {"conv1": "conv2d1", "conv2": "conv2d2", "shortcut": "conv2d0", "norm1": "bn1", "norm2": "bn2"}
_ROLES = {"query": "theta", "key": "phi", "value": "g"}


def ours(layout: str, network: nn.Module, theirs: State) -> dict[str, Tensor]:
    """Our network's state, every entry of it, from another framework's.

    Args:
        layout: one of LAYOUTS.
        network: ours, of the same shape, as it was built: a table of gains holds 1, or 0 where it is what is added to 1.
        theirs: name -> tensor.

    Raises:
        KeyError: the name of theirs that is not there, or whose shape does not fit.

    """
    names = _mimicry if layout == "mimicry" else _studiogan
    state = network.state_dict()
    blocks = max(int(number) for key in state for number in re.findall(r"^block(\d+)\.", key))
    attended = min((int(n) for key in state for n in re.findall(r"^block(\d+)\.attention\.", key)), default=blocks + 1)
    found = {}
    for key, mine in state.items():
        place, suffix = _split(key)
        theirs_place = names(place, blocks, attended)
        value = _table(theirs, theirs_place, suffix, layout) if suffix in (".gain", ".bias table") else None
        if value is None:
            value = _entry(theirs, theirs_place, suffix)
        elif suffix == ".gain" and not mine.any():
            value = value - 1
        if value.numel() != mine.numel():
            raise KeyError(f"{theirs_place}{suffix} has shape {tuple(value.shape)}, and ours has {tuple(mine.shape)}")
        found[key] = value.reshape(mine.shape).to(mine.dtype)
    return found


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
    raise KeyError(name)


def _columns(theirs: State, place: str) -> Tensor:
    """v of spectral norm, which follows a kernel's columns: (in, height, width) there, (height, width, in) in ``spectral``."""
    v, shape = theirs[f"{place}.weight_v"], theirs[f"{place}.weight_orig"].shape
    return v.reshape(shape[1:]).permute(1, 2, 0).flatten() if len(shape) == 4 else v


def _table(theirs: State, place: str, suffix: str, layout: str) -> Tensor | None:
    """The class table [K, C] of gains (themselves) or biases; None where theirs is not conditional."""
    gain = suffix == ".gain"
    if layout == "mimicry":
        if f"{place}.embed.weight" not in theirs:
            return None
        return theirs[f"{place}.embed.weight"].chunk(2, dim=1)[0 if gain else 1]
    name = f"{place}.embed{0 if gain else 1}"
    if f"{name}.weight" not in theirs and f"{name}.weight_orig" not in theirs:
        return None
    table = _normalised(theirs, name)
    return table + 1 if gain else table


def _normalised(theirs: State, name: str) -> Tensor:
    """A table as it is used: theirs may stand under spectral norm, ours never does."""
    if f"{name}.weight" in theirs:
        return theirs[f"{name}.weight"]
    weight, u, v = (theirs[f"{name}.weight_{part}"] for part in ("orig", "u", "v"))
    return weight / torch.dot(u, weight.flatten(1) @ v)


def _mimicry(place: str, blocks: int, attended: int) -> str:
    """Generators end with b and c, discriminators with l and l_y."""
    if place == "linear":
        return "l1"
    if place in ("final_norm", "conv"):
        return f"{'b' if place == 'final_norm' else 'c'}{blocks + 2}"
    if place.startswith("head."):
        return f"l{blocks + 1}" if place == "head.linear" else "l_y"
    number, rest = _block(place)
    if rest.startswith("attention"):
        role = rest.removeprefix("attention").removeprefix(".")
        return "attn_block." + (_ROLES.get(role, "o") if role else "gamma")
    return f"block{number}.{_MIMICRY[rest]}"


def _studiogan(place: str, blocks: int, attended: int) -> str:
    """Blocks and the attention block stand in one list, each in a list of its own."""
    fixed = {
        "linear": "linear0",
        "final_norm": "bn4",
        "conv": "conv2d5",
        "head.linear": "linear1",
        "head.embedding": "embedding",
    }
    if place in fixed:
        return fixed[place]
    number, rest = _block(place)
    if rest.startswith("attention"):
        role = rest.removeprefix("attention").removeprefix(".")
        return f"blocks.{attended}.0." + (f"conv1x1_{_ROLES.get(role, 'attn')}" if role else "sigma")
    return f"blocks.{number - 1 + (number > attended)}.0.{_STUDIOGAN[rest]}"


def _block(place: str) -> tuple[int, str]:
    match = re.fullmatch(r"block(\d+)\.(.+)", place)
    if match is None:
        raise KeyError(place)
    return int(match[1]), match[2]


def generator_ours(layout: str, network: nn.Module, theirs: State) -> dict[str, Tensor]:
    """As :func:`ours`; mimicry's generators count their blocks from 2."""
    if layout == "mimicry":
        theirs = {
            re.sub(r"^block(\d+)", lambda match: f"block{int(match[1]) - 1}", name): value for name, value in theirs.items()
        }
    return ours(layout, network, theirs)
