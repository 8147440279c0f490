"""What mimicry's and PyTorch-StudioGAN's networks compute beside their weights, in options of ours.

Their files do not say it. A network that computes something else is refused, and the error says what to set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ganblocks import PlacementError, Player

BATCH_NORM_EPS = {"mimicry": 1e-5, "studiogan": 1e-4}
ATTENDED = {Player.GENERATOR: {3: 16, 5: 32}, Player.DISCRIMINATOR: {4: 8, 6: 32}}
"""Number of blocks -> feature size after which mimicry's attention stands; its names do not tell the place."""


def refuse_other_functions(layout: str, player: Player, component: object, theirs: Mapping[str, Tensor]) -> None:
    """Raise PlacementError where options of ``component`` make it another function than the network that ``theirs`` come from."""
    needed = dict(_needs(layout, player, component, theirs))
    found = {name: _option(component, name) for name in needed}
    different = {name: value for name, value in needed.items() if found[name] != value and not _absent_norm(name, found[name])}
    if not different:
        return
    there = ", ".join(f"{name} = {_toml(value)}" for name, value in different.items())
    here = ", ".join(f"{name} = {_toml(found[name])}" for name in different)
    sets = " ".join(f"--set {_quoted(f'{player}.{name}={_toml(value)}')}" for name, value in different.items())
    raise PlacementError(str(player), f"the network of {layout} has {there}, and this one has {here}", f"add {sets}")


def _needs(layout: str, player: Player, component: object, theirs: Mapping[str, Tensor]) -> Iterator[tuple[str, object]]:
    if player is Player.GENERATOR:
        yield "upsampling", "bilinear" if layout == "mimicry" else "nearest"
        yield "norm.eps", BATCH_NORM_EPS[layout]
        yield "final_norm.eps", BATCH_NORM_EPS[layout]
    else:
        yield "shortcut", "activated"
        normalised = any(name.endswith((".weight_orig", ".sn_u")) for name in theirs)
        yield "pooling", "mean" if layout == "mimicry" and not normalised else "sum"  # mimicry's WGAN-GP has the mean
    if any(name.startswith("attn_block.") or ".conv1x1_theta." in name for name in theirs):
        if _option(component, "attention.pool") is None or _option(component, "attention.scale") is None:
            yield "attention", "self_attention"
            return
        yield from {"attention.pool": 2, "attention.scale": 1.0}.items()
        blocks = len({match[1] for name in theirs if (match := re.match(r"block(\d+)\.", name))})
        if layout == "mimicry" and blocks in ATTENDED[player]:
            yield "attention_at", (ATTENDED[player][blocks],)


def _option(component: Any, dotted: str) -> object:
    """An option of a component, or of one in its socket; None where that has none of this name."""
    for name in dotted.split("."):
        component = getattr(component, name, None)
    found: object = component
    return found


def _absent_norm(name: str, found: object) -> bool:
    """A norm without eps is told by its names, which are not in the file."""
    return found is None and name.endswith("norm.eps")


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return str(list(value))
    return f'"{value}"' if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    """For a shell, where quotes and brackets mean something."""
    return f"'{text}'" if re.search(r"[^\w.=-]", text) else text
