"""Both players' parameters by name, and copies of them, for rules that move weights back or extrapolate them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganblocks import CheckpointError, Game

Weights = dict[str, Tensor]
"""``player.parameter`` -> a tensor of its shape."""


def parameters_of(game: Game) -> dict[str, nn.Parameter]:
    """Return every parameter of both players by its name in a game's state."""
    networks = game.networks.items()
    return {f"{player}.{name}": parameter for player, network in networks for name, parameter in network.named_parameters()}


def copied(game: Game) -> Weights:
    """Return copies of both players' parameters."""
    return {name: parameter.detach().clone() for name, parameter in parameters_of(game).items()}


@torch.no_grad()
def set_weights(game: Game, weights: Weights) -> None:
    """Set both players' parameters to ``weights``, without changing buffers, gradients or moments."""
    for name, parameter in parameters_of(game).items():
        parameter.copy_(weights[name])


def restored(state: Mapping[str, Tensor], game: Game) -> Weights:
    """Return a checkpoint's weights, each of the same shape, format and device as the game's parameter; empty if it has none.

    Raise CheckpointError if names or shapes are another network's.
    """
    parameters = parameters_of(game) if state else {}
    for name in sorted(set(state) | set(parameters)):
        if name not in state or name not in parameters or state[name].shape != parameters[name].shape:
            raise CheckpointError(f"the update rule's saved weights do not fit at {name}: the state is another network's")
    return {name: laid_out(state[name], parameter) for name, parameter in parameters.items()}


def laid_out(value: Tensor, parameter: nn.Parameter) -> Tensor:
    """Return ``value``, of any shape, with the strides of ``parameter``: a file keeps none, and mixed ones slow down steps."""
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
