"""Both players' parameters by name, and copies of them: what a rule keeps that steps back or looks ahead."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganblocks import CheckpointError, Game

Weights = dict[str, Tensor]
"""``player.parameter`` -> a tensor of its shape."""


def parameters_of(game: Game) -> dict[str, nn.Parameter]:
    """Every parameter of both players, by the names that a game's state has."""
    networks = game.networks.items()
    return {f"{player}.{name}": parameter for player, network in networks for name, parameter in network.named_parameters()}


def copied(game: Game) -> Weights:
    """Where both players stand now."""
    return {name: parameter.detach().clone() for name, parameter in parameters_of(game).items()}


@torch.no_grad()
def put_back(game: Game, weights: Weights) -> None:
    """Both players stand at ``weights`` again; buffers, gradients and moments stay as they are."""
    for name, parameter in parameters_of(game).items():
        parameter.copy_(weights[name])


def restored(state: Mapping[str, Tensor], game: Game) -> Weights:
    """What a checkpoint kept, copied into the memory layout and onto the device of the parameters of the same names.

    A rule that has not stepped yet keeps nothing. Raises ``CheckpointError`` where names or shapes are another network's.
    """
    parameters = parameters_of(game) if state else {}
    for name in sorted(set(state) | set(parameters)):
        if name not in state or name not in parameters or state[name].shape != parameters[name].shape:
            raise CheckpointError(
                f"the weights that the update rule keeps do not fit at {name}: the state is another network's"
            )
    return {name: laid_out(state[name], parameter) for name, parameter in parameters.items()}


def laid_out(value: Tensor, parameter: nn.Parameter) -> Tensor:
    """A file keeps no strides; mixed ones would cost a launch for each parameter instead of one for all."""
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
