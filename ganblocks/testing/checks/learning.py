"""The property that a component learns: in a toy game, every parameter of both players gets a gradient by the third step.

Parameters that require no gradient are frozen on purpose, and are not tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import torch
from hypothesis import reject

from ganblocks.errors import PlacementError
from ganblocks.game import Term, TwoPlayerGame
from ganblocks.testing import expect
from ganblocks.testing.cases import Case, NetworkCase
from ganblocks.testing.properties import properties
from ganblocks.testing.toys import Identity, LinearHead, ToyDiscriminator, ToyGenerator, toy_batches, toy_game
from ganblocks.values import Batch, Player

STEPS = 3
GAMES: dict[str, Callable[[Any], TwoPlayerGame]] = {
    "norm": lambda norm: toy_game(ToyGenerator(attention=Identity(), norm=norm)),
    "weight_norm": lambda weight_norm: toy_game(weight_norm=weight_norm),
    "initialization": lambda initialization: toy_game(initialization=initialization),
    "attention": lambda block: toy_game(
        ToyGenerator(attention=block), ToyDiscriminator(attention=block, conditioning=LinearHead())
    ),
    "conditioning": lambda head: toy_game(discriminator=ToyDiscriminator(attention=Identity(), conditioning=head)),
    "penalty": lambda penalty: toy_game(terms=[Term("penalty", penalty, penalty.build())]),
    "augment": lambda augment: toy_game(augment=augment.build() if augment.differentiable else None),
    "loss": lambda loss: toy_game(loss=loss),
}
"""Kind -> a toy game with a component of that kind."""


def lets_a_toy_game_learn(case: Case) -> None:
    """In a toy game every trainable parameter of both players gets a finite, non-zero gradient by the third step."""
    play(lambda: GAMES[case.kind](case.component), toy_batches(size=6, seed=case.seed))


def learns_in_a_game(case: NetworkCase) -> None:
    """In a game with a toy opponent every trainable parameter of both gets a finite, non-zero gradient by the third step."""
    play(lambda: toy_game(image=case.spec, **{case.kind: case.component}), _batches(case))


LEARNING = properties(lets_a_toy_game_learn)
LEARNING_IN_A_GAME = properties(learns_in_a_game)


def _batches(case: NetworkCase) -> Callable[[Player], Batch]:
    """Return a ``NextBatch`` of 6 random images like the case's."""
    spec, calls = case.spec, count()
    latent = case.component.latent if case.kind == "generator" else 6

    def next_batch(player: Player) -> Batch:
        current = case.but(seed=case.seed + next(calls))
        labels = [current.labels(spec.classes, 6, key) if spec.classes else None for key in ("real", "fake")]
        image = current.normal(6, *spec.shape).tanh()
        return Batch(image, labels[0], current.normal(6, latent, key="latent"), labels[1], current.seed)

    return next_batch


def play(make: Callable[[], TwoPlayerGame], next_batch: Callable[[Player], Batch]) -> None:
    """Take three alternating steps with Adam; expect a gradient for every parameter that is not frozen in one of them."""
    try:
        game = make()
    except PlacementError:
        reject()
    optimizers = {player: torch.optim.Adam(network.parameters(), 1e-2, (0.0, 0.9)) for player, network in game.networks.items()}
    silent = {
        f"{player}.{name}"
        for player, network in game.networks.items()
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
    }
    for step in range(STEPS):
        for player in (Player.DISCRIMINATOR, Player.GENERATOR):
            game.backward(player, next_batch(player), step * 6)
            silent -= set(_reached(game, player))
            optimizers[player].step()
    if game.loss.generator_reads_real:  # a loss of differences of logits (a relativistic one) gives the head's bias no gradient
        silent = {name for name in silent if not (name.startswith("discriminator.head") and name.endswith("bias"))}
    expect.that(not silent, f"after {STEPS} steps no gradient has reached {', '.join(sorted(silent)[:5])}")


def _reached(game: TwoPlayerGame, player: Player) -> Iterator[str]:
    """Yield the names of the player's parameters whose gradient is not 0."""
    for name, parameter in game.networks[player].named_parameters():
        if parameter.grad is not None:
            expect.finite(parameter.grad, f"the gradient of {player}.{name}")
            if parameter.grad.any():
                yield f"{player}.{name}"
