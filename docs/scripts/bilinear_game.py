"""Write docs/explanation/bilinear-game.md: every update rule on xᵀAy, compared with theory.

    python docs/scripts/bilinear_game.py

Each rule is the component that a recipe would name, with plain gradient descent, in float64. Theory is the rule's linear map,
raised to the power of the number of iterations.
"""

from __future__ import annotations

import argparse
import cmath
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from attrs import field, frozen
from torch import Tensor

import ganblocks
from ganblocks.testing.toys import BilinearGame

PAGE = Path(__file__).parents[1] / "explanation" / "bilinear-game.md"
COMMAND = "python docs/scripts/bilinear_game.py"
MOMENTS = (10, 100, 300)
"""Numbers of iterations in the table."""
RATE, FAST, STEPS, ALPHA, WEIGHT = 0.2, 0.8, 5, 0.5, 1.0
"""η; TTUR's η_D; lookahead's k and α; consensus' γ."""
SCALAR = torch.ones(1, 1, dtype=torch.float64)
MATRIX = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]], dtype=torch.float64)
"""Three singular values: rotations at three speeds."""

Map = Callable[[Tensor], Tensor]
"""A -> the matrix that maps (x, y), and other state of the rule, to their values one iteration later."""


def rotation(A: Tensor) -> Tensor:
    """Return J of the joint gradient J (x, y) = (Ay, −Aᵀx)."""
    rows, columns = A.shape
    top, bottom = torch.cat([A.new_zeros(rows, rows), A], 1), torch.cat([-A.T, A.new_zeros(columns, columns)], 1)
    return torch.cat([top, bottom])


def one(A: Tensor) -> Tensor:
    return torch.eye(sum(A.shape), dtype=A.dtype)


def simultaneous(A: Tensor) -> Tensor:
    return one(A) - RATE * rotation(A)


def alternating(A: Tensor, fast: float = RATE) -> Tensor:
    """The discriminator's rows of J first, then the generator's."""
    of_generator = (torch.arange(sum(A.shape)) < len(A)).to(A)[:, None] * rotation(A)
    of_discriminator = rotation(A) - of_generator
    return (one(A) - RATE * of_generator) @ (one(A) - fast * of_discriminator)


def extragradient(A: Tensor) -> Tensor:
    return one(A) - RATE * rotation(A) @ (one(A) - RATE * rotation(A))


def optimistic(A: Tensor) -> Tensor:
    """Of (w_t, w_{t−1}); no w before the first."""
    now, before = one(A) - 2 * RATE * rotation(A), RATE * rotation(A)
    return torch.cat([torch.cat([now, before], 1), torch.cat([one(A), torch.zeros_like(now)], 1)])


def consensus(A: Tensor) -> Tensor:
    return one(A) - RATE * (rotation(A) + WEIGHT * rotation(A).T @ rotation(A))


@frozen(kw_only=True)
class Rule:
    """A row: the component's name and options, its map, and its factor per iteration on xy as a formula and as a number."""

    name: str
    map: Map
    formula: str
    factor: float
    gradients: str = "1"
    """Gradients of each player per iteration."""
    options: dict[str, Any] = field(factory=dict)
    backs: bool = False
    """Whether it interpolates back after every ``STEPS`` iterations."""

    def start(self, game: BilinearGame) -> Any:
        return ganblocks.discover().create("update_rule", self.name, **(self.options or sgd())).start(game)

    def predicted(self, A: Tensor, start: Tensor, iterations: int) -> Tensor:
        """Return (x, y) after a number of iterations."""
        step = self.map(A)
        state = torch.cat([start, start.new_zeros(len(step) - len(start))])
        if self.backs:
            back = (1 - ALPHA) * one(A) + ALPHA * torch.linalg.matrix_power(step, STEPS)
            state, iterations = torch.linalg.matrix_power(back, iterations // STEPS) @ state, iterations % STEPS
        return (torch.linalg.matrix_power(step, iterations) @ state)[: len(start)]

    def radius(self, A: Tensor) -> float:
        """Return the spectral radius of the map: the asymptotic factor per iteration."""
        values = torch.linalg.eigvals(self.map(A))
        if self.backs:
            values = (1 - ALPHA + ALPHA * values**STEPS).abs() ** (1 / STEPS)
        return float(values.abs().max())


def sgd(fast: float = RATE) -> dict[str, Any]:
    return {"generator": {"use": "sgd", "rate": RATE}, "discriminator": {"use": "sgd", "rate": fast}}


def turned_back(angle: float) -> float:
    """Return lookahead's factor per iteration around a rule that rotates by ``angle``."""
    return abs(1 - ALPHA + ALPHA * cmath.exp(1j * STEPS * angle)) ** (1 / STEPS)


RULES = (
    Rule(name="simultaneous", map=simultaneous, formula="√(1 + η²)", factor=math.hypot(1, RATE)),
    Rule(name="alternating", map=alternating, formula="1", factor=1.0),
    Rule(name="ttur", map=partial(alternating, fast=FAST), formula="1", factor=1.0, options=sgd(FAST)),
    Rule(
        name="extragradient",
        map=extragradient,
        formula="√(1 − η² + η⁴)",
        factor=math.sqrt(1 - RATE**2 + RATE**4),
        gradients="2",
    ),
    Rule(
        name="optimistic",
        map=optimistic,
        formula="√((1 + √(1 − 4η²)) / 2)",
        factor=math.sqrt((1 + math.sqrt(1 - 4 * RATE**2)) / 2),
    ),
    Rule(
        name="lookahead",
        map=alternating,
        formula="\\|1 − α + α e^{ikφ}\\|^{1/k}, cos φ = 1 − η²/2",
        factor=turned_back(math.acos(1 - RATE**2 / 2)),
        options={"rule": {"use": "alternating", **sgd()}, "steps": STEPS, "alpha": ALPHA},
        backs=True,
    ),
    Rule(
        name="consensus",
        map=consensus,
        formula="√((1 − ηγ)² + η²)",
        factor=math.hypot(1 - RATE * WEIGHT, RATE),
        gradients="1, and a second derivative",
        options={**sgd(), "weight": WEIGHT},
    ),
)


def played(rule: Rule, A: Tensor) -> list[float]:
    """Return the distances from (0, 0) of the component itself after 0, 1, 2, … iterations."""
    start = begin(A)
    game = BilinearGame(start[: len(A)], start[len(A) :], A)
    updater, batch = rule.start(game), ganblocks.Batch(SCALAR, None, SCALAR, None, seed=0)
    distances = [game.distance]
    for _ in range(MOMENTS[-1]):
        updater.step(lambda player: batch, 0)
        distances.append(game.distance)
    return distances


def begin(A: Tensor) -> Tensor:
    """Return the start of both players, at distance 1."""
    return torch.full((sum(A.shape),), sum(A.shape) ** -0.5, dtype=A.dtype)


def row(rule: Rule, A: Tensor, distances: Sequence[float], *cells: str) -> str:
    theory = float(rule.predicted(A, begin(A), MOMENTS[-1]).norm())
    return " | ".join([f"| `{rule.name}`", *cells, *(f"{distances[n]:.5g}" for n in MOMENTS), f"{theory:.5g} |"])


def header(*cells: str) -> list[str]:
    names = ["rule", *cells, *(f"after {n:,}" for n in MOMENTS), f"theory, {MOMENTS[-1]:,}"]
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def page(scalar: Mapping[str, Sequence[float]], matrix: Mapping[str, Sequence[float]]) -> str:
    """Return the page, from each rule's distances on both games."""
    narrow = header("gradients of each player per iteration", "factor per iteration")
    wide = header("spectral radius")
    for rule in RULES:
        narrow.append(row(rule, SCALAR, scalar[rule.name], rule.gradients, f"{rule.formula} = {rule.factor:.5f}"))
        wide.append(row(rule, MATRIX, matrix[rule.name], f"{rule.radius(MATRIX):.5f}"))
    return TEXT.format(scalar="\n".join(narrow), matrix="\n".join(wide))


def all_played(A: Tensor) -> dict[str, list[float]]:
    return {rule.name: played(rule, A) for rule in RULES}


TEXT = f"""# Update rules on the bilinear game

*Generated by `{COMMAND}`; `tests/repository/test_bilinear_page.py` compares components with theory.*

The simplest game on which update rules differ is min_x max_y xᵀAy. Its solution is (0, 0), and its joint gradient F(x, y) =
(Ay, −Aᵀx) is a pure rotation: it never points towards the solution, only around it. Near a solution, the dynamics of a GAN may
have such a component too (Mescheder et al. 2017, [arXiv:1705.10461](https://arxiv.org/abs/1705.10461); Gidel et al. 2019,
[arXiv:1802.10551](https://arxiv.org/abs/1802.10551)).

Each rule below is the component that a recipe names in `[update]`, with plain gradient descent (`sgd`) at η = {RATE:g} for
both players (`ttur`: {FAST:g} for the discriminator), started at distance 1 from the solution. `lookahead` has k = {STEPS}
and α = {ALPHA:g} around `alternating`; `consensus` has γ = {WEIGHT:g}. The tables give the distance from the solution after a
number of iterations.

## One parameter per player: xy

{{scalar}}

Theory is the rule's linear map to the power {MOMENTS[-1]:,}. The test requires that each component agrees with it to one part
in 10⁹, and that the formula is the spectral radius of the map.

## Three parameters per player: xᵀAy

With A = (1, ½, 0; 0, 1, ½; 0, 0, 1), whose three singular values give rotations at three speeds. The slowest one determines the
convergence rate of every rule that converges.

{{matrix}}

## How to read it

* **Simultaneous** descent spirals outwards at any learning rate. **Alternating** descent, and therefore **TTUR**, stays on a
  cycle at a bounded distance (while η_G η_D σ² is below 4, where σ is the largest singular value): two time scales do not
  remove the rotation.
* **Extragradient** and **optimistic** descent converge at almost the same rate, but extragradient needs two gradients per
  iteration. It requires ησ < 1, optimistic descent ησ < 1/√3.
* **Lookahead** converges without an additional gradient, because a point on the chord between two points of a circle lies
  inside it. How far inside depends on how far the inner rule rotates in k iterations: after a full turn there is no gain.
* **Consensus** is fastest here because its attraction is as strong as the rotation. It is attracted to every point where both
  gradients vanish, including points that are not solutions; this game has only one such point.
* Nothing here is noisy, curved or badly scaled. The tables show how a rule handles rotation, not which rule gives better
  images.
"""


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()  # type: ignore[union-attr]
    PAGE.write_text(page(all_played(SCALAR), all_played(MATRIX)), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
