"""Statistics of the networks for the log: γ of gated blocks, σ of normalized weights, norms of the states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganblocks.game import TwoPlayerGame, named_capable
from ganblocks.kinds.module_capabilities import Gated, SingularValue


def gammas(game: TwoPlayerGame) -> dict[str, Tensor]:
    """Return ``gamma/PATH`` -> γ, 0-dim, for every gated block of both networks."""
    return {f"gamma/{path}": module.gamma.detach() for path, module in _named(game, Gated)}


@torch.no_grad()
def sigmas(game: TwoPlayerGame) -> dict[str, Tensor]:
    """Return ``sigma/PATH`` -> the largest singular value, 0-dim, of every normalized layer of both networks."""
    return {f"sigma/{path}": module.sigma() for path, module in _named(game, SingularValue)}


@torch.no_grad()
def state_norms(game: TwoPlayerGame, average: nn.Module) -> dict[str, Tensor]:
    """Return ``NAME/norm`` -> the Euclidean norm, 0-dim, of each network's parameters and buffers.

    Of the average only parameters count: its buffers depend on when it was last used.
    """
    tensors_of = {str(player): (*network.parameters(), *network.buffers()) for player, network in game.networks.items()}
    tensors_of["average"] = tuple(average.parameters())
    floating = {name: [t for t in tensors if t.is_floating_point()] for name, tensors in tensors_of.items()}
    return {f"{name}/norm": torch.nn.utils.get_total_norm(tensors) for name, tensors in floating.items()}


def as_numbers(tensors: Mapping[str, Tensor]) -> dict[str, float]:
    """Return 0-dim tensors as numbers, with one device synchronization for all."""
    if not tensors:
        return {}
    return dict(zip(tensors, torch.stack([value.detach().float() for value in tensors.values()]).tolist(), strict=True))


def _named(game: TwoPlayerGame, capability: type[Any]) -> list[tuple[str, Any]]:
    networks = game.networks.items()
    return [(f"{player}.{path}", module) for player, network in networks for path, module in named_capable(network, capability)]
