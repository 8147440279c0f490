"""Options with which our networks compute what mimicry's and PyTorch-StudioGAN's do; their files do not hold them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ganblocks import PlacementError, Player

BATCH_NORM_EPS = {"mimicry": 1e-5, "studiogan": 1e-4}
ATTENDED = {Player.GENERATOR: {3: 16, 5: 32}, Player.DISCRIMINATOR: {4: 8, 6: 32}}
"""Number of blocks -> feature size at which mimicry has attention, which its names do not show."""


def refuse_other_functions(layout: str, player: Player, component: object, theirs: Mapping[str, Tensor]) -> None:
    """Raise PlacementError if ``component`` would compute something else with the weights ``theirs`` of any shape."""
    needed = dict(_needs(layout, player, component, theirs))
    options = {name: _option(component, name) for name in needed}
    # a missing eps means another norm, whose names will not be in the file
    absent = {name for name, value in options.items() if value is None and name.endswith("norm.eps")}
    different = {name: value for name, value in needed.items() if options[name] != value and name not in absent}
    if different:
        wanted = ", ".join(f"{name} = {_toml(value)}" for name, value in different.items())
        present = ", ".join(f"{name} = {_toml(options[name])}" for name in different)
        sets = " ".join(f"--set {shlex.quote(f'{player}.{name}={_toml(value)}')}" for name, value in different.items())
        raise PlacementError(str(player), f"the network of {layout} has {wanted}, and this one has {present}", f"add {sets}")


def _needs(layout: str, player: Player, component: object, theirs: Mapping[str, Tensor]) -> Iterator[tuple[str, object]]:
    """Yield (option, value) of the network that has these weights."""
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


def _option(component: Any, path: str) -> object:
    """Return the option at a dotted path; None if the component has no such option."""
    for name in path.split("."):
        component = getattr(component, name, None)
    value: object = component
    return value


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return str(list(value))
    return f'"{value}"' if isinstance(value, str) else str(value)
