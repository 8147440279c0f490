"""Jacobian clamping against closed forms of linear generators, and in real games."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from attrs import define, field
from ganblocks_jacobian.clamp import JacobianClamp
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import ImageSpec, MixesSamples, Player, Score, Site, View
from ganblocks.game import Term
from ganblocks.testing import examples
from ganblocks.testing.toys import toy_batches, toy_game

few = examples(25)
seeds = st.integers(0, 2**16)
scales = st.floats(0, 40)


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Linear(nn.Module):
    """G(z) = A z as an image of one channel and one row."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return (z @ self.matrix.T)[:, None, None]


class Centred(nn.Module, MixesSamples):
    """Subtracts the batch's mean, as batch norm does."""

    def forward(self, image: Tensor) -> Tensor:
        return image - image.mean(0)


class Mixing(Linear):
    """Has a part that mixes samples, as networks have; and labels move the image."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__(matrix)
        self.centred = Centred()

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        image: Tensor = self.centred(super().forward(z, label))
        return image if label is None else image + 100.0 * label.double().view(-1, 1, 1, 1)


@define(eq=False)
class FakeTurn:
    """What the penalty reads of a generator's turn."""

    network: nn.Module
    latent: Tensor
    label: Tensor | None = None
    seed: int = 0
    asked: list[int] = field(factory=list)
    player: Player = Player.GENERATOR

    @property
    def rng(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    @property
    def fake(self) -> View:
        image = self.network(self.latent, self.label)
        return View(image, self.label, Score(image.sum((1, 2, 3))))

    def generate(self, latent: Tensor, label: Tensor | None) -> Tensor:
        self.asked.append(len(latent))
        image: Tensor = self.network(latent, label)
        return image


def value(network: nn.Module, seed: int = 0, label: Tensor | None = None, **options: Any) -> Tensor:
    result: Tensor = JacobianClamp(**options).build()(FakeTurn(network, random(seed, 4, 5), label, seed))
    return result


@pytest.mark.statement(85)
@few
@given(seeds, scales, st.floats(0.1, 3))
def test_a_multiple_of_an_isometry_is_held_between_the_bounds(seed: int, scale: float, eps: float) -> None:
    """A = s I, padded with zeros: every Q is s, whatever the step."""
    matrix = scale * torch.eye(7, 5, dtype=torch.float64)
    expected = max(scale - 20, 0) ** 2 + min(scale - 1, 0) ** 2
    assert math.isclose(value(Linear(matrix), seed, eps=eps).item(), expected, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.statement(85)
@few
@given(seeds)
def test_singular_values_between_the_bounds_cost_nothing(seed: int) -> None:
    left, right = (torch.linalg.qr(random(seed + i, n, 5)).Q for i, n in enumerate((9, 5)))
    values = torch.linspace(1.001, 19.999, 5, dtype=torch.float64)
    assert value(Linear(left @ torch.diag(values) @ right.T), seed).item() == 0


@few
@given(seeds)
def test_it_is_the_mean_of_each_sample_s_own_excess(seed: int) -> None:
    """No sample makes up for another: against a loop, with the directions drawn again."""
    matrix = 10 * random(seed, 7, 5)
    drawn = torch.randn(4, 5, generator=torch.Generator().manual_seed(seed)).double()
    wanted = []
    for direction in drawn:
        q = float((matrix @ direction).norm() / direction.norm())
        wanted.append(max(q - 20, 0) ** 2 + max(1 - q, 0) ** 2)
    assert math.isclose(value(Linear(matrix), seed).item(), sum(wanted) / 4, rel_tol=1e-6, abs_tol=1e-12)


@few
@given(seeds)
def test_a_generator_that_mixes_samples_makes_both_images_in_one_batch(seed: int) -> None:
    """Subtracting one mean from both, it has the Q of the same generator without mixing; labels are the same for both."""
    matrix, label = random(seed, 7, 5), torch.tensor([0, 1, 2, 1])
    mixing, plain = (value(kind(matrix), seed, label).item() for kind in (Mixing, Linear))
    assert math.isclose(mixing, plain, rel_tol=1e-7, abs_tol=1e-9)
    asked = FakeTurn(Mixing(matrix), random(seed, 4, 5), label)
    JacobianClamp().build()(asked)
    assert asked.asked == [8]
    asked = FakeTurn(Linear(matrix), random(seed, 4, 5), label)
    JacobianClamp().build()(asked)
    assert asked.asked == [4]


@few
@given(seeds)
def test_its_gradient_is_that_of_finite_differences(seed: int) -> None:
    network, direction, step = Linear(9 * random(seed, 7, 5)), random(seed + 1, 7, 5), 1e-6
    (felt,) = torch.autograd.grad(value(network, seed, lam_min=15, lam_max=18), network.matrix)
    ends = [value(Linear(network.matrix.detach() + s * step * direction), seed, lam_min=15, lam_max=18).item() for s in (1, -1)]
    assert math.isclose(float((felt * direction).sum()), (ends[0] - ends[1]) / (2 * step), rel_tol=1e-4, abs_tol=1e-4)


def test_a_generator_that_stands_still_has_a_value_and_no_pull() -> None:
    network = Linear(torch.zeros(7, 5, dtype=torch.float64))
    result = value(network)
    assert result.item() == 1
    (pull,) = torch.autograd.grad(result, network.matrix)
    assert torch.equal(pull, torch.zeros_like(pull))


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("lam_max", {"lam_min": 3.0, "lam_max": 2.0}),
        ("lam_min", {"lam_min": -1.0}),
        ("lam_max", {"lam_max": -1.0}),
        ("eps", {"eps": 0.0}),
    ],
)
def test_options_out_of_range(words: str, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=words):
        JacobianClamp(**options)


class Steep(nn.Module):
    """A component and its network: images that move 50 times as far as the latent."""

    latent = 6

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        self.scale = nn.Parameter(torch.tensor(50.0))
        return self

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        return (self.scale * z).repeat(1, 11)[:, :64].view(-1, 1, 8, 8)


def test_in_a_real_game_it_joins_the_generator_s_objective_and_flattens_it() -> None:
    clamp = JacobianClamp()
    game = toy_game(Steep(), terms=[Term("clamp", clamp, clamp.build())])
    metrics = game.backward(Player.GENERATOR, toy_batches()(Player.GENERATOR), 0)
    assert metrics["generator/clamp"] > 0
    assert game.networks[Player.GENERATOR].scale.grad > 0
    assert "discriminator/clamp" not in game.backward(Player.DISCRIMINATOR, toy_batches()(Player.DISCRIMINATOR), 0)
