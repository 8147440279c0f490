"""The first thing that is not finite is named, causes before effects, and looking for it leaves nothing behind."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ganblocks import Game, Player
from ganblocks.testing.toys import toy_batches, toy_game
from ganblocks.training.diagnosis import where_not_finite

G, D = Player.GENERATOR, Player.DISCRIMINATOR
NAN = float("nan")


def found(game: Game, player: Player = D, updater: Any = None) -> str:
    """What is said of a game after one step of that player."""
    batch = toy_batches()(player)
    batches = SimpleNamespace(drawn={player: 8}, size=8, images_seen=8, at=lambda *_: batch)
    session: Any = SimpleNamespace(game=game, batches=batches, updater=SimpleNamespace(state_dict=lambda: updater or {}))
    return where_not_finite(session, game.networks[G], {player: 0}, {player: 0})


def test_where_all_is_finite_nothing_is_said() -> None:
    assert found(toy_game()) == ""


@torch.no_grad()
def test_the_first_module_that_makes_it_is_named() -> None:
    """Not those after it, which get it, nor those around it."""
    game = toy_game()
    game.networks[D].first.weight.fill_(3e38)
    assert found(game) == "the output of discriminator.first, in the discriminator's turn"
    assert not any(module._forward_hooks for network in game.networks.values() for module in network.modules())


@pytest.mark.parametrize(("player", "name"), [(D, "second.weight"), (G, "to_image.bias")])
def test_a_gradient_is_named_by_its_parameter(player: Player, name: str) -> None:
    game = toy_game()
    game.networks[player].get_parameter(name).register_hook(lambda gradient: gradient * NAN)
    assert found(game, player) == f"the gradient of {player}.{name}, in the {player}'s turn"


@torch.no_grad()
def test_a_parameter_comes_before_moments_and_moments_before_what_modules_give() -> None:
    game, moments = toy_game(), {"discriminator": {"second": torch.tensor([NAN])}}
    game.networks[D].first.weight.fill_(3e38)
    assert found(game, updater=moments) == "the state of the update rule, discriminator.second"
    game.networks[D].second.bias[0] = NAN
    assert found(game, updater=moments) == "the parameter discriminator.second.bias"
