"""The optimizers of both players: as options of a rule, and at work, with state by parameter name."""

from __future__ import annotations

from typing import Any

import torch
from attrs import define, field, frozen
from torch import Tensor, nn

from ganblocks import CheckpointError, Game, Metrics, Optimizer, Player, guarded_step, socket
from ganblocks_update_rules.weights import laid_out


@define(eq=False)
class PlayerOptimizer:
    """One player's optimizer, its number of steps, and its state by parameter name."""

    player: Player
    component: Optimizer
    network: nn.Module
    updates: int = 0
    """Number of steps since the start of training."""
    optimizer: torch.optim.Optimizer = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.optimizer = self.component.start(list(self.network.parameters()))

    def step(self, images_seen: int, rate_factor: float = 1.0) -> Metrics:
        """Step along the gradients that a game has set, at ``rate_factor`` times the optimizer's rate, and return metrics."""
        settings = self.component.settings(images_seen)
        report = guarded_step(self.optimizer, settings | {"lr": settings["lr"] * rate_factor})
        self.updates += 1
        return {f"{self.player}/{name}": value for name, value in report.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return ``updates``, ``groups`` (plain values) and ``parameters`` (parameter name -> state name -> tensor)."""
        state = self.optimizer.state_dict()
        names = self._names()
        return {
            "updates": self.updates,
            "groups": [{key: value for key, value in group.items() if key != "params"} for group in state["param_groups"]],
            "parameters": {names[index]: dict(values) for index, values in state["state"].items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned. Raise CheckpointError if it belongs to another network or optimizer."""
        index, parameters = {name: i for i, name in enumerate(self._names())}, dict(self.network.named_parameters())
        current = self.optimizer.state_dict()["param_groups"]
        self._refuse_foreign(state, set(index), current)
        groups = [ours | saved for ours, saved in zip(current, state["groups"], strict=True)]
        moments = {index[name]: _copied(values, parameters[name]) for name, values in state["parameters"].items()}
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.updates = state["updates"]

    def _names(self) -> list[str]:
        """Return parameter names in the optimizer's order, which differs from the network's if it sorts them into groups."""
        name_of = {id(parameter): name for name, parameter in self.network.named_parameters()}
        return [name_of[id(parameter)] for group in self.optimizer.param_groups for parameter in group["params"]]

    def _refuse_foreign(self, state: dict[str, Any], names: set[str], groups: list[dict[str, Any]]) -> None:
        if foreign := sorted(set(state["parameters"]) - names):
            raise CheckpointError(
                f"the {self.player} has no parameters named {', '.join(foreign[:3])}: the state is another network's"
            )
        settings = {key for group in groups for key in group}
        if len(groups) != len(state["groups"]) or any(set(group) - settings for group in state["groups"]):
            raise CheckpointError(
                f"the {self.player}'s optimizer is a {type(self.optimizer).__name__}: the state is another one's"
            )


def _copied(values: dict[str, Any], parameter: nn.Parameter) -> dict[str, Any]:
    """Return copies in the parameter's memory format; torch would change the given tensors in place."""
    return {name: laid_out(value, parameter) if isinstance(value, Tensor) else value for name, value in values.items()}


@define(eq=False)
class PairUpdater:
    """The base of updaters that own both players' optimizers; a rule adds ``step``."""

    game: Game
    players: dict[Player, PlayerOptimizer]

    def state_dict(self) -> dict[str, Any]:
        """Return both optimizers' state, by player."""
        return {str(player): optimizer.state_dict() for player, optimizer in self.players.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned. Raise CheckpointError if it belongs to another network or optimizer."""
        for player, optimizer in self.players.items():
            optimizer.load_state_dict(state[str(player)])


@frozen(kw_only=True)
class TwoOptimizers:
    """The options of rules that step each player with an optimizer of its own."""

    generator: Optimizer = socket("optimizer", default="adam")
    discriminator: Optimizer = socket("optimizer", default="adam")

    def start_players(self, game: Game) -> dict[Player, PlayerOptimizer]:
        """Start each player's optimizer on that player's network."""
        components = {Player.GENERATOR: self.generator, Player.DISCRIMINATOR: self.discriminator}
        return {player: PlayerOptimizer(player, optimizer, game.networks[player]) for player, optimizer in components.items()}
