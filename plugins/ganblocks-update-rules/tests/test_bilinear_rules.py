"""Every rule on xᵀAy, step by step against its equations, written out for both players in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from ganblocks_update_rules.alternating import Alternating
from ganblocks_update_rules.consensus import Consensus
from ganblocks_update_rules.extragradient import Extragradient
from ganblocks_update_rules.lookahead import Lookahead
from ganblocks_update_rules.optimistic import Optimistic
from ganblocks_update_rules.optimizers import SGD
from ganblocks_update_rules.simultaneous import Simultaneous
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks import Batch, Player
from ganblocks.testing import examples
from ganblocks.testing.toys import BilinearGame

G, D = Player.GENERATOR, Player.DISCRIMINATOR
Point = tuple[Tensor, Tensor]
Way = Callable[[Tensor, Tensor, Tensor, float, float], Iterator[Point]]
"""(A, x, y, the generator's rate, the discriminator's) -> where both stand after each iteration."""

STEPS, ALPHA, WEIGHT = 2, 0.3, 0.7


def batch_for(player: Player) -> Batch:
    return Batch(torch.zeros(1), None, torch.zeros(1), None, seed=0)


def gradients(A: Tensor, x: Tensor, y: Tensor) -> Point:
    """Of xᵀAy with respect to x, and of −xᵀAy with respect to y."""
    return A @ y, -(A.T @ x)


def simultaneous(A: Tensor, x: Tensor, y: Tensor, a: float, b: float) -> Iterator[Point]:
    while True:
        gx, gy = gradients(A, x, y)
        x, y = x - a * gx, y - b * gy
        yield x, y


def alternating(A: Tensor, x: Tensor, y: Tensor, a: float, b: float) -> Iterator[Point]:
    while True:
        y = y - b * gradients(A, x, y)[1]
        x = x - a * gradients(A, x, y)[0]
        yield x, y


def extragradient(A: Tensor, x: Tensor, y: Tensor, a: float, b: float) -> Iterator[Point]:
    while True:
        gx, gy = gradients(A, x, y)
        gx, gy = gradients(A, x - a * gx, y - b * gy)
        x, y = x - a * gx, y - b * gy
        yield x, y


def optimistic(A: Tensor, x: Tensor, y: Tensor, a: float, b: float) -> Iterator[Point]:
    before_x, before_y = torch.zeros_like(x), torch.zeros_like(y)
    while True:
        gx, gy = gradients(A, x, y)
        x, y = x - 2 * a * gx + a * before_x, y - 2 * b * gy + b * before_y
        before_x, before_y = gx, gy
        yield x, y


def consensus(A: Tensor, x: Tensor, y: Tensor, a: float, b: float) -> Iterator[Point]:
    while True:
        gx, gy = gradients(A, x, y)
        x, y = x - a * (gx + WEIGHT * (A @ (A.T @ x))), y - b * (gy + WEIGHT * (A.T @ (A @ y)))
        yield x, y


def lookahead(A: Tensor, x: Tensor, y: Tensor, a: float, b: float) -> Iterator[Point]:
    slow_x, slow_y = x, y
    while True:
        ahead = alternating(A, slow_x, slow_y, a, b)
        for _ in range(STEPS - 1):
            yield next(ahead)
        x, y = next(ahead)
        slow_x, slow_y = (1 - ALPHA) * slow_x + ALPHA * x, (1 - ALPHA) * slow_y + ALPHA * y
        yield slow_x, slow_y


RULES: dict[str, tuple[Way, Callable[..., Any]]] = {
    "simultaneous": (simultaneous, Simultaneous),
    "alternating": (alternating, Alternating),
    "extragradient": (extragradient, Extragradient),
    "extragradient on one batch": (extragradient, lambda **both: Extragradient(**both, sampling="same_batch")),
    "optimistic": (optimistic, Optimistic),
    "consensus": (consensus, lambda **both: Consensus(**both, weight=WEIGHT)),
    "lookahead": (lookahead, lambda **both: Lookahead(rule=Alternating(**both), steps=STEPS, alpha=ALPHA)),
}


@pytest.mark.parametrize("name", RULES)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**16), st.floats(1e-3, 0.5), st.floats(1e-3, 0.5))
@examples(15)
def test_a_rule_moves_as_its_equations_say(name: str, rows: int, columns: int, seed: int, a: float, b: float) -> None:
    way, rule = RULES[name]
    rng = torch.Generator().manual_seed(seed)
    A, x, y = (torch.randn(shape, generator=rng, dtype=torch.float64) for shape in ((rows, columns), (rows,), (columns,)))
    game = BilinearGame(x, y, A)
    updater = rule(generator=SGD(rate=a), discriminator=SGD(rate=b)).start(game)
    expected = way(A, x, y, a, b)
    for _ in range(5):
        updater.step(batch_for, 0)
        wanted = next(expected)
        torch.testing.assert_close(game.point(G).detach(), wanted[0], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(game.point(D).detach(), wanted[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_rules_made_for_games_converge_and_plain_descent_does_not(name: str) -> None:
    game = BilinearGame()
    updater = RULES[name][1](generator=SGD(rate=0.2), discriminator=SGD(rate=0.2)).start(game)
    distances = [game.distance]
    for _ in range(300):
        updater.step(batch_for, 0)
        distances.append(game.distance)
    if name == "simultaneous":
        assert distances[-1] > 100 * distances[0]
    elif name == "alternating":
        assert all(0.8 < distance / distances[0] < 1.25 for distance in distances)
    else:
        assert distances[-1] < 0.1 * distances[0]
