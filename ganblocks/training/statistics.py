"""Numbers read off the networks themselves: γ of every gated block, σ of every normalised weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganblocks.game import TwoPlayerGame
from ganblocks.kinds.module_capabilities import Gated, SingularValue


def gammas(game: TwoPlayerGame) -> dict[str, Tensor]:
    """``gamma/PATH`` -> γ, for every gated block of both networks."""
    return {f"gamma/{path}": module.gamma.detach() for path, module in _named(game, Gated)}


@torch.no_grad()
def sigmas(game: TwoPlayerGame) -> dict[str, Tensor]:
    """``sigma/PATH`` -> the largest singular value of the weight, for every normalised layer of both networks."""
    return {f"sigma/{path}": module.sigma() for path, module in _named(game, SingularValue)}


@torch.no_grad()
def state_norms(game: TwoPlayerGame, average: nn.Module) -> dict[str, Tensor]:
    """``NAME/norm`` -> the Euclidean norm of a network's parameters and buffers: not finite where any of them is not.

    Of the average only parameters: its buffers are copied when somebody looks at it, and so depend on who did.
    """
    held = {str(player): (*network.parameters(), *network.buffers()) for player, network in game.networks.items()}
    held["average"] = tuple(average.parameters())
    floating = {name: [each for each in tensors if each.is_floating_point()] for name, tensors in held.items()}
    return {f"{name}/norm": torch.nn.utils.get_total_norm(tensors) for name, tensors in floating.items()}


def as_numbers(tensors: Mapping[str, Tensor]) -> dict[str, float]:
    """0-dim tensors as numbers, with one host read for all of them."""
    if not tensors:
        return {}
    return dict(zip(tensors, torch.stack([value.detach().float() for value in tensors.values()]).tolist(), strict=True))


def _named(game: TwoPlayerGame, capability: type[Any]) -> list[tuple[str, Any]]:
    return [
        (f"{player}.{path}", module)
        for player, network in game.networks.items()
        for path, module in network.named_modules()
        if isinstance(module, capability) and isinstance(module, nn.Module)
    ]
