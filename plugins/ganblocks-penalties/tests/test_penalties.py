"""Penalties against closed forms on linear and quadratic critics, finite differences, and a real game."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from attrs import define, field
from ganblocks_penalties import ganblocks_penalties
from ganblocks_penalties.dragan import Dragan, perturb
from ganblocks_penalties.gradient_penalty import GradientPenalty
from ganblocks_penalties.r1 import R1
from ganblocks_penalties.r2 import R2
from ganblocks_penalties.slope import norms
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import ImageSpec, Player, Score, Site, View
from ganblocks.game import Term
from ganblocks.testing import examples
from ganblocks.testing.toys import toy_batches, toy_game

few = examples(20)
seeds = st.integers(0, 2**32 - 1)
SHAPE = (2, 3, 3)
PENALTIES: dict[str, Any] = {"dragan": Dragan(), "gradient_penalty": GradientPenalty(), "r1": R1(), "r2": R2()}
"""Those that read the slope."""
Critic = Callable[[Tensor, Tensor], Tensor]
"""(image [B, C, H, W], label [B]) -> logits [B]."""


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@define(eq=False)
class FakeTurn:
    """A discriminator's turn on random images, whose labels are 0 for real images and 1 for fakes."""

    critic: Critic
    seed: int = 0
    size: int = 4
    player: Player = Player.DISCRIMINATOR
    images_seen: int = 0
    asked: list[tuple[Tensor, Tensor | None, bool]] = field(factory=list)
    real: View = field(init=False)
    fake: View = field(init=False)
    rng: torch.Generator = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rng = torch.Generator().manual_seed(self.seed)
        self.real, self.fake = (self.view(side) for side in (0, 1))

    def view(self, side: int) -> View:
        image = random(self.seed + side, self.size, *SHAPE).requires_grad_()
        label = torch.full((self.size,), side)
        return View(image, label, Score(self.critic(image, label)))

    def discriminate(self, image: Tensor, label: Tensor | None, augmented: bool = True) -> Score:
        self.asked.append((image, label, augmented))
        assert label is not None
        return Score(self.critic(image, label))


def linear(weight: Tensor) -> Critic:
    return lambda image, label: (image * weight).sum((1, 2, 3)) + 0.7


def quadratic(matrix: Tensor) -> Critic:
    """½ xᵀ A x, with A symmetric."""
    return lambda image, label: 0.5 * (image.flatten(1) @ matrix * image.flatten(1)).sum(1)


def value(component: Any, critic: Critic, seed: int = 0, size: int = 4) -> Tensor:
    turn = FakeTurn(critic, seed, size)
    result: Tensor = component.build()(turn)
    assert result.shape == ()
    return result


def number(*arguments: Any) -> float:
    return value(*arguments).item()


def test_the_plugin_offers_what_is_tested() -> None:
    for name, penalty in PENALTIES.items():
        component = type(penalty)
        assert f"{component.__module__}:{component.__name__}" == ganblocks_penalties()[name]
        assert component.players == {Player.DISCRIMINATOR}
        assert component.reads_image_gradient is True
        assert list(component().build().state_dict()) == []


@pytest.mark.statement(51, 52)
@few
@given(seeds, st.floats(0.01, 100), st.integers(1, 5))
def test_a_linear_critic_has_the_same_slope_everywhere(seed: int, scale: float, size: int) -> None:
    weight = scale * random(seed + 7, *SHAPE)
    norm = float(weight.norm())
    expected = {"dragan": (norm - 1) ** 2, "gradient_penalty": (norm - 1) ** 2, "r1": norm**2 / 2, "r2": norm**2 / 2}
    for name, component in PENALTIES.items():
        assert math.isclose(number(component, linear(weight), seed, size), expected[name], rel_tol=1e-10)


@pytest.mark.statement(51)
@few
@given(seeds)
def test_slope_one_costs_nothing(seed: int) -> None:
    weight = random(seed, *SHAPE)
    assert abs(number(GradientPenalty(), linear(weight / weight.norm()), seed)) <= 1e-28
    assert number(GradientPenalty(sided="one"), linear(weight / weight.norm() / 2), seed) == 0


@few
@given(seeds, st.floats(0, 5), st.floats(0.1, 10))
def test_options_move_the_target_and_open_one_side(seed: int, target: float, scale: float) -> None:
    weight = scale * random(seed, *SHAPE)
    excess = float(weight.norm()) - target
    two = number(GradientPenalty(target=target), linear(weight), seed)
    one = number(GradientPenalty(target=target, sided="one"), linear(weight), seed)
    assert math.isclose(two, excess**2, rel_tol=1e-10, abs_tol=1e-20)
    assert math.isclose(one, max(excess, 0) ** 2, rel_tol=1e-10, abs_tol=1e-20)


@pytest.mark.statement(52)
@few
@given(seeds)
def test_r1_and_r2_look_at_their_own_side(seed: int) -> None:
    matrix = random(seed + 7, 18, 18)
    matrix = matrix + matrix.T
    for component, side in ((R1(), 0), (R2(), 1)):
        rows = random(seed + side, 4, *SHAPE).flatten(1) @ matrix
        expected = rows.square().sum(1).mean() / 2
        assert math.isclose(number(component, quadratic(matrix), seed), expected, rel_tol=1e-10)


@few
@given(seeds)
def test_points_between_lie_on_the_line_from_fake_to_real_each_at_its_own_place(seed: int) -> None:
    turn = FakeTurn(linear(torch.ones(SHAPE, dtype=torch.float64)), seed)
    GradientPenalty().build()(turn)
    ((between, label, augmented),) = turn.asked
    assert augmented
    assert torch.equal(label, turn.real.label)
    share = (between - turn.fake.image) / (turn.real.image - turn.fake.image)
    first = share[:, :1, :1, :1]
    torch.testing.assert_close(share, first.expand_as(share), rtol=1e-6, atol=1e-9)
    assert ((first >= 0) & (first < 1)).all()
    assert len(first.flatten().unique()) == len(first)
    expected = torch.rand(4, 1, 1, 1, generator=torch.Generator().manual_seed(seed)).double()
    torch.testing.assert_close(between, expected * turn.real.image + (1 - expected) * turn.fake.image)


def test_equal_seeds_give_equal_points_and_nothing_else_is_drawn_from() -> None:
    critic = quadratic(torch.eye(18, dtype=torch.float64))
    state = torch.get_rng_state()
    one, two = number(GradientPenalty(), critic, 3), number(GradientPenalty(), critic, 3)
    assert one == two
    assert torch.equal(torch.get_rng_state(), state)
    turn = FakeTurn(critic, 3)
    penalty = GradientPenalty().build()
    assert penalty(turn) != penalty(turn)


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_r1_and_r2_reuse_the_scores_of_the_turn(name: str) -> None:
    turn = FakeTurn(linear(torch.ones(SHAPE, dtype=torch.float64)))
    PENALTIES[name].build()(turn)
    assert turn.asked == []


class SmoothCritic(nn.Module):
    """Two layers without kinks, with a class that matters."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.first = nn.Parameter(random(seed, 18, 5) / 3)
        self.second = nn.Parameter(random(seed + 1, 2, 5))

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        return (torch.tanh(image.flatten(1) @ self.first) * self.second[label]).sum(1)


@pytest.mark.statement(53)
@pytest.mark.parametrize("component", [*PENALTIES.values(), GradientPenalty(sided="one", target=0.3)])
@given(seeds)
@examples(5)
def test_parameters_feel_the_penalty_as_finite_differences_say(component: Any, seed: int) -> None:
    critic = SmoothCritic(seed)
    gradients = torch.autograd.grad(value(component, critic, seed), [*critic.parameters()])
    step = 1e-5
    for parameter, gradient in zip(critic.parameters(), gradients, strict=True):
        direction = random(seed + 9, *parameter.shape)
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(sign * step * direction)
            ends.append(value(component, critic, seed).item())
            with torch.no_grad():
                parameter.sub_(sign * step * direction)
        slope = (ends[0] - ends[1]) / (2 * step)
        felt = float((gradient * direction).sum())
        assert abs(slope) > 1e-6
        assert math.isclose(felt, slope, rel_tol=1e-4, abs_tol=1e-7)


@pytest.mark.parametrize(
    "component", [*PENALTIES.values(), GradientPenalty(sided="one"), GradientPenalty(target=0), Dragan(target=0)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_flat_critic_has_a_value_and_finite_derivatives_of_every_order(component: Any, dtype: torch.dtype) -> None:
    weight = torch.zeros(SHAPE, dtype=dtype, requires_grad=True)
    result = value(component, lambda image, label: (image.to(dtype) * weight).sum((1, 2, 3)))
    two_sided = getattr(component, "sided", "two") == "two" and hasattr(component, "target")
    assert result == (component.target**2 if two_sided else 0)
    (first,) = torch.autograd.grad(result, weight, create_graph=True)
    assert torch.equal(first, torch.zeros_like(first))
    if first.requires_grad:
        (second,) = torch.autograd.grad(first.sum(), weight)
        assert second.isfinite().all()


def test_one_flat_sample_does_not_spoil_the_others() -> None:
    gradient = random(0, 3, *SHAPE)
    gradient[1] = 0
    gradient.requires_grad_()
    lengths = norms(gradient)
    (pull,) = torch.autograd.grad(lengths.sum(), gradient)
    exact = gradient.detach().flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, exact, rtol=1e-14, atol=0)
    torch.testing.assert_close(pull[::2], gradient.detach()[::2] / exact[::2, None, None, None], rtol=1e-12, atol=0)
    assert torch.equal(pull[1], torch.zeros(SHAPE, dtype=torch.float64))


@pytest.mark.parametrize("size", [1e-12, 1e-3, 1.0, 1e12])
def test_lengths_are_not_biased_and_slopes_of_lengths_are_unit_vectors(size: float) -> None:
    gradient = (size * random(1, 2, *SHAPE).float()).requires_grad_()
    lengths = norms(gradient)
    torch.testing.assert_close(lengths, gradient.flatten(1).norm(dim=1), rtol=1e-6, atol=0)
    (pull,) = torch.autograd.grad(lengths.sum(), gradient)
    torch.testing.assert_close(pull.flatten(1).norm(dim=1), torch.ones(2), rtol=1e-5, atol=0)


@few
@given(seeds, st.floats(0, 2), st.floats(0, 3))
def test_dragan_is_its_formula_at_noisy_real_images(seed: int, noise: float, target: float) -> None:
    """With D(x) = ½ xᵀAx the slope at x + δ is A(x + δ)."""
    matrix = random(seed + 7, 18, 18)
    matrix = matrix + matrix.T
    turn = FakeTurn(quadratic(matrix), seed)
    drawn = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(seed)).double()
    spread = (turn.real.image - turn.real.image.mean()).square().mean().sqrt()
    slopes = ((turn.real.image + noise * spread * drawn).flatten(1) @ matrix).norm(dim=1)
    result = Dragan(noise=noise, target=target).build()(turn)
    torch.testing.assert_close(result, (slopes - target).square().mean(), rtol=1e-6, atol=1e-12)
    ((_, label, augmented),) = turn.asked
    assert augmented
    assert torch.equal(label, turn.real.label)


def test_dragans_noise_is_normal_and_independent_for_every_pixel() -> None:
    image = 3 * random(0, 50, 2, 10, 10)
    noise = (perturb(image, 0.5, torch.Generator().manual_seed(0)) - image).flatten() / (0.5 * image.std(correction=0))
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 1) < 0.03
    assert abs(noise.pow(4).mean() - 3) < 0.2
    assert len(noise.unique()) > 0.99 * len(noise)
    still = torch.full((2, 1, 3, 3), 0.25)
    assert torch.equal(perturb(still, 0.5, torch.Generator()), still)


def test_bad_options_are_refused() -> None:
    for options in ({"target": -1.0}, {"target": "1"}, {"sided": "three"}):
        with pytest.raises((ValueError, TypeError)):
            GradientPenalty(**options)
    for options in ({"noise": -0.1}, {"noise": "0.5"}, {"target": -1.0}):
        with pytest.raises((ValueError, TypeError)):
            Dragan(**options)


@pytest.mark.parametrize("name", PENALTIES)
def test_in_a_real_game_the_penalty_joins_the_discriminators_objective_only(name: str) -> None:
    batch = toy_batches()(Player.DISCRIMINATOR)
    plain, penalised = toy_game(), toy_game(terms=[Term(name, PENALTIES[name], PENALTIES[name].build())])
    gradients = []
    for game in (plain, penalised):
        metrics = game.backward(Player.DISCRIMINATOR, batch, 0)
        gradients.append([p.grad for p in game.networks[Player.DISCRIMINATOR].parameters()])
        assert all(p.grad is None for p in game.networks[Player.GENERATOR].parameters())
    assert metrics[f"discriminator/{name}"] > 0
    assert any(not torch.equal(one, two) for one, two in zip(*gradients, strict=True))
    assert all(gradient.isfinite().all() for gradient in gradients[1])
    assert f"generator/{name}" not in penalised.backward(Player.GENERATOR, batch, 0)


def test_in_a_real_game_r1_is_the_mean_squared_gradient_sample_by_sample() -> None:
    batch = toy_batches()(Player.DISCRIMINATOR)
    game = toy_game(terms=[Term("r1", R1(), R1().build()), Term("r2", R2(), R2().build())])
    metrics = game.objective(Player.DISCRIMINATOR, batch, 0, through=(Player.DISCRIMINATOR,)).metrics
    discriminator = game.networks[Player.DISCRIMINATOR]
    with torch.no_grad():
        fakes = game.networks[Player.GENERATOR](batch.latent, batch.fake_label)
    for name, images, labels in (("r1", batch.image, batch.label), ("r2", fakes, batch.fake_label)):
        squares = []
        for image, label in zip(images, labels, strict=True):
            image = image[None].clone().requires_grad_()
            (gradient,) = torch.autograd.grad(discriminator(image, label[None]).logits[0], image)
            squares.append(gradient.square().sum())
        torch.testing.assert_close(metrics[f"discriminator/{name}"], torch.stack(squares).mean() / 2, rtol=1e-5, atol=0)


class Curved(nn.Module):
    """A discriminator whose slope depends on where it stands; a component and its module in one."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        self.linear = site.layer(nn.Linear(image.channels * image.size**2, 4), "linear")
        return self

    def forward(self, image: Tensor, label: Tensor | None) -> Score:
        return Score(torch.tanh(self.linear(image.flatten(1))).sum(1))


@pytest.mark.parametrize(("name", "reaches"), [("gradient_penalty", True), ("r2", True), ("r1", False), ("dragan", False)])
def test_the_penalty_reaches_a_generator_that_is_differentiated_through(name: str, reaches: bool) -> None:
    """Consensus optimization differentiates the discriminator's objective with respect to both players."""
    batch = toy_batches()(Player.DISCRIMINATOR)
    felt = []
    for terms in ([], [Term(name, PENALTIES[name], PENALTIES[name].build())]):
        game = toy_game(discriminator=Curved(), terms=terms)
        total = game.objective(Player.DISCRIMINATOR, batch, 0, through=tuple(Player)).total
        felt += torch.autograd.grad(total, game.networks[Player.GENERATOR].to_image.weight)
    assert (not torch.allclose(*felt)) == reaches
