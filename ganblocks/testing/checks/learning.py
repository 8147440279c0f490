"""The promise that a component learns: in a toy game, every parameter of both players gets a gradient by the third step.

Parameters that require no gradient are frozen on purpose, and asked nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import reject
from torch import nn

from ganblocks.errors import PlacementError
from ganblocks.game import Term, TwoPlayerGame
from ganblocks.testing.cases import Case, NetworkCase
from ganblocks.testing.promises import expect, expect_finite, promise
from ganblocks.testing.toys import Identity, LinearHead, ToyDiscriminator, ToyGenerator, toy_batches, toy_game
from ganblocks.values import Batch, ImageSpec, Player

STEPS = 3
GAMES: dict[str, Callable[[Any], TwoPlayerGame]] = {
    "norm": lambda each: toy_game(ToyGenerator(attention=Identity(), norm=each)),
    "weight_norm": lambda each: toy_game(weight_norm=each),
    "initialization": lambda each: toy_game(initialization=each),
    "attention": lambda each: toy_game(
        ToyGenerator(attention=each), ToyDiscriminator(attention=each, conditioning=LinearHead())
    ),
    "conditioning": lambda each: toy_game(discriminator=ToyDiscriminator(attention=Identity(), conditioning=each)),
    "penalty": lambda each: toy_game(terms=[Term("penalty", each, each.build())]),
    "augment": lambda each: toy_game(augment=each.build() if each.differentiable else None),
    "loss": lambda each: toy_game(loss=each),
}
"""Kind -> a toy game in which a component plays its part."""


@promise("norm", "weight_norm", "initialization", "attention", "conditioning", "penalty", "augment", "loss")
def lets_a_toy_game_learn(case: Case) -> None:
    """In a toy game every trainable parameter of both players gets a finite, non-zero gradient by the third step."""
    play(_game(case.kind, case.component), toy_batches(size=6, seed=case.seed))


@promise("generator", "discriminator")
def learns_in_a_game(case: NetworkCase) -> None:
    """In a game with a toy opponent every trainable parameter of both gets a finite, non-zero gradient by the third step."""
    latent = case.component.latent if case.kind == "generator" else 6
    try:
        game = toy_game(image=case.spec, **{case.kind: case.component})
    except PlacementError:
        reject()
    play(game, _batches(case, latent))


def _game(kind: str, component: Any) -> TwoPlayerGame:
    try:
        return GAMES[kind](component)
    except PlacementError:
        reject()


def _batches(case: NetworkCase, latent: int) -> Callable[[Player], Batch]:
    """Random images of the case's kind, 6 at a time."""
    spec: ImageSpec = case.spec
    count = iter(range(100))

    def next_batch(player: Player) -> Batch:
        here = case.but(seed=case.seed + next(count))
        labels = [here.labels(spec.classes, 6, key) if spec.classes else None for key in ("real", "fake")]
        image = here.normal(6, *spec.shape).tanh()
        return Batch(image, labels[0], here.normal(6, latent, key="latent"), labels[1], here.seed)

    return next_batch


def play(game: TwoPlayerGame, next_batch: Callable[[Player], Batch]) -> None:
    """Three alternating steps with Adam; every parameter that is not frozen must have been reached in one of them."""
    optimizers = {player: torch.optim.Adam(network.parameters(), 1e-2, (0.0, 0.9)) for player, network in game.networks.items()}
    silent = {name for player, network in game.networks.items() for name in _trainable(network, player)}
    for step in range(STEPS):
        for player in (Player.DISCRIMINATOR, Player.GENERATOR):
            game.backward(player, next_batch(player), step * 6)
            silent -= set(_reached(game.networks[player], player))
            optimizers[player].step()
    silent -= _silent_by_nature(game, silent)
    expect(not silent, f"after {STEPS} steps no gradient has reached {', '.join(sorted(silent)[:5])}")


def _trainable(network: nn.Module, player: Player) -> list[str]:
    return [f"{player}.{name}" for name, parameter in network.named_parameters() if parameter.requires_grad]


def _silent_by_nature(game: TwoPlayerGame, silent: set[str]) -> set[str]:
    """A loss that sees only differences of logits (a relativistic one) gives the head's bias no gradient."""
    biases = {name for name in silent if name.startswith("discriminator.head") and name.endswith("bias")}
    return biases if game.loss.generator_reads_real else set()


def _reached(network: nn.Module, player: Player) -> list[str]:
    reached = []
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            expect_finite(parameter.grad, f"the gradient of {player}.{name}")
            if parameter.grad.any():
                reached.append(f"{player}.{name}")
    return reached
