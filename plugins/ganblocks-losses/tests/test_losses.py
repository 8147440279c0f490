"""Losses against formulas written in plain float64 arithmetic, and the invariants that the formulas promise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from ganblocks_losses import ganblocks_losses
from ganblocks_losses.hinge import Hinge
from ganblocks_losses.least_squares import LeastSquares
from ganblocks_losses.minimax import Minimax
from ganblocks_losses.non_saturating import NonSaturating
from ganblocks_losses.relativistic_average import RelativisticAverage
from ganblocks_losses.relativistic_paired import RelativisticPaired
from ganblocks_losses.wasserstein import Wasserstein
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks import Facts, ImageSpec, Use
from ganblocks.testing import examples

few = examples(40)
numbers = st.floats(-60, 60, allow_subnormal=False)
LOSSES: dict[str, Any] = {
    "hinge": Hinge(),
    "non_saturating": NonSaturating(),
    "minimax": Minimax(),
    "least_squares": LeastSquares(),
    "wasserstein": Wasserstein(),
    "relativistic_paired": RelativisticPaired(),
    "relativistic_average": RelativisticAverage(),
}
RELATIVISTIC = {"relativistic_paired", "relativistic_average"}
names = st.sampled_from(sorted(LOSSES))


@st.composite
def logits(draw: st.DrawFn, values: st.SearchStrategy[float] = numbers) -> tuple[Tensor, Tensor]:
    """Two float64 vectors of one length."""
    size = draw(st.integers(1, 6))
    real, fake = (draw(st.lists(values, min_size=size, max_size=size)) for _ in range(2))
    return torch.tensor(real, dtype=torch.float64), torch.tensor(fake, dtype=torch.float64)


def sp(t: float) -> float:
    return max(t, 0.0) + math.log1p(math.exp(-abs(t)))


def mean(values: Sequence[float] | Any) -> float:
    values = list(values)
    return math.fsum(values) / len(values)


def averaged(high: list[float], low: list[float]) -> float:
    """The relativistic average loss of whoever wants ``high`` to be the higher side."""
    return mean(sp(-(h - mean(low))) for h in high) + mean(sp(v - mean(high)) for v in low)


Formula = Callable[[list[float], list[float]], float]
logistic: Formula = lambda r, f: mean(sp(-x) for x in r) + mean(sp(x) for x in f)  # noqa: E731
FORMULAS: dict[str, tuple[Formula, Formula]] = {
    "hinge": (lambda r, f: mean(max(0, 1 - x) for x in r) + mean(max(0, 1 + x) for x in f), lambda r, f: -mean(f)),
    "non_saturating": (logistic, lambda r, f: mean(sp(-x) for x in f)),
    "minimax": (logistic, lambda r, f: -mean(sp(x) for x in f)),
    "least_squares": (
        lambda r, f: mean((x - 1) ** 2 for x in r) / 2 + mean(x**2 for x in f) / 2,
        lambda r, f: mean((x - 1) ** 2 for x in f) / 2,
    ),
    "wasserstein": (lambda r, f: mean(f) - mean(r), lambda r, f: -mean(f)),
    "relativistic_paired": (
        lambda r, f: mean(sp(-(x - y)) for x, y in zip(r, f, strict=True)),
        lambda r, f: mean(sp(-(y - x)) for x, y in zip(r, f, strict=True)),
    ),
    "relativistic_average": (averaged, lambda r, f: averaged(f, r)),
}

AT_ZERO = {
    "hinge": (2, 0),
    "non_saturating": (2 * math.log(2), math.log(2)),
    "minimax": (2 * math.log(2), -math.log(2)),
    "least_squares": (0.5, 0.5),
    "wasserstein": (0, 0),
    "relativistic_paired": (math.log(2), math.log(2)),
    "relativistic_average": (2 * math.log(2), 2 * math.log(2)),
}


def both(name: str, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """(L_D, L_G), where the generator's form gets the real logits only if it says that it reads them."""
    loss = LOSSES[name]
    return loss.for_discriminator(real, fake), loss.for_generator(real if loss.generator_reads_real else None, fake)


def close(actual: Tensor | float, expected: Tensor | float, tolerance: float = 1e-12) -> bool:
    return math.isclose(float(actual), float(expected), rel_tol=tolerance, abs_tol=tolerance)


def test_the_plugin_offers_what_is_tested() -> None:
    offered = ganblocks_losses()
    assert {name: type(loss) for name, loss in LOSSES.items()}.keys() == offered.keys()
    for name, target in offered.items():
        assert f"{type(LOSSES[name]).__module__}:{type(LOSSES[name]).__name__}" == target
        assert LOSSES[name].generator_reads_real == (name in RELATIVISTIC)


@pytest.mark.statement(58)
@few
@given(names, logits())
def test_each_loss_is_its_formula(name: str, pair: tuple[Tensor, Tensor]) -> None:
    real, fake = pair
    for value, formula in zip(both(name, real, fake), FORMULAS[name], strict=True):
        assert close(value, formula(real.tolist(), fake.tolist()))


@pytest.mark.statement(47, 58)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_values_where_the_discriminator_says_nothing(name: str, dtype: torch.dtype) -> None:
    zero = torch.zeros(5, dtype=dtype)
    for value, expected in zip(both(name, zero, zero), AT_ZERO[name], strict=True):
        assert value.shape == ()
        assert value.dtype == dtype
        assert close(value, expected, {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 1e-2}[dtype])


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_an_equation_without_options(name: str) -> None:
    assert LOSSES[name] == type(LOSSES[name])()
    assert "L_D = " in type(LOSSES[name]).__doc__


@pytest.mark.statement(55)
@few
@given(names, logits(), st.randoms(use_true_random=False))
def test_order_does_not_matter(name: str, pair: tuple[Tensor, Tensor], random: Any) -> None:
    real, fake = pair
    one, two = ([*range(len(real))] for _ in range(2))
    random.shuffle(one)
    random.shuffle(two)
    expected = both(name, real, fake)
    changes = [(one, one)] if name == "relativistic_paired" else [(one, one), (one, two)]
    for first, second in changes:
        assert all(map(close, both(name, real[first], fake[second]), expected))


@pytest.mark.statement(55)
def test_the_paired_loss_depends_on_who_meets_whom() -> None:
    real, fake = torch.tensor([3.0, -1.0]), torch.tensor([2.0, -4.0])
    for value, other in zip(
        both("relativistic_paired", real, fake), both("relativistic_paired", real.flip(0), fake), strict=True
    ):
        assert abs(value - other) > 0.1


@pytest.mark.statement(55)
@few
@given(names, logits())
def test_a_batch_twice_is_the_same_batch(name: str, pair: tuple[Tensor, Tensor]) -> None:
    assert all(map(close, both(name, *(torch.cat([x, x]) for x in pair)), both(name, *pair)))


@pytest.mark.statement(42)
@few
@given(logits())
def test_hinge_is_zero_exactly_where_both_margins_hold(pair: tuple[Tensor, Tensor]) -> None:
    for real, fake in (pair, (pair[0].abs() + 1, -pair[1].abs() - 1)):
        holds = bool((real >= 1).all() and (fake <= -1).all())
        assert (LOSSES["hinge"].for_discriminator(real, fake) == 0) == holds


@pytest.mark.statement(43)
@few
@given(logits())
def test_hinge_pulls_inside_the_margins_only(pair: tuple[Tensor, Tensor]) -> None:
    real, fake = (x.requires_grad_() for x in pair)
    n = len(real)
    d_real, d_fake = torch.autograd.grad(Hinge().for_discriminator(real, fake), (real, fake))
    assert torch.equal(d_real, -(real < 1).double() / n)
    assert torch.equal(d_fake, (fake > -1).double() / n)
    (g_fake,) = torch.autograd.grad(Hinge().for_generator(None, fake), fake)
    assert torch.equal(g_fake, torch.full_like(fake, -1 / n))


@pytest.mark.statement(43)
@few
@given(names, logits(), st.integers(0, 2**16))
def test_gradients_are_slopes(name: str, pair: tuple[Tensor, Tensor], seed: int) -> None:
    real, fake = pair
    assume(((real - 1).abs() > 1e-3).all())
    assume(((fake + 1).abs() > 1e-3).all())
    step = 1e-6 * torch.randn(2, len(real), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    ahead, behind = both(name, real + step[0], fake + step[1]), both(name, real - step[0], fake - step[1])
    leaves = real.clone().requires_grad_(), fake.clone().requires_grad_()
    for value, more, less in zip(both(name, *leaves), ahead, behind, strict=True):
        gradients = torch.autograd.grad(value, leaves, materialize_grads=True, allow_unused=True)
        rise = sum((gradient * part).sum() for gradient, part in zip(gradients, step, strict=True))
        assert abs(float((more - less) / 2 - rise)) <= 1e-6 * float(step.norm()) * 10 + 1e-13


@pytest.mark.statement(44)
@few
@given(st.sampled_from(["hinge", "wasserstein"]), logits(), st.floats(-3, 3), st.floats(-3, 3))
def test_some_generators_losses_are_linear(name: str, pair: tuple[Tensor, Tensor], scale: float, shift: float) -> None:
    loss, fake = LOSSES[name], pair[1]
    value = loss.for_generator(None, fake)
    assert close(loss.for_generator(None, scale * fake), scale * value, 1e-11)
    assert close(loss.for_generator(None, fake + shift), value - shift, 1e-11)


@pytest.mark.statement(45)
@few
@given(names, logits())
def test_real_and_fake_are_mirror_images(name: str, pair: tuple[Tensor, Tensor]) -> None:
    real, fake = pair
    mirrored = (1 - fake, 1 - real) if name == "least_squares" else (-fake, -real)
    loss = LOSSES[name]
    assert close(loss.for_discriminator(*mirrored), loss.for_discriminator(real, fake))


@pytest.mark.statement(46)
@few
@given(st.sampled_from(sorted(set(LOSSES) - {"least_squares"})), logits(), st.floats(0, 10), st.data())
def test_the_discriminator_never_loses_by_being_right(name: str, pair: tuple[Tensor, Tensor], rise: float, data: Any) -> None:
    real, fake = pair
    loss = LOSSES[name].for_discriminator
    index = data.draw(st.integers(0, len(real) - 1))
    step = torch.zeros_like(real)
    step[index] = rise
    assert loss(real + step, fake) <= loss(real, fake) + 1e-12
    assert loss(real, fake + step) >= loss(real, fake) - 1e-12


@pytest.mark.statement(48)
@few
@given(names, logits())
def test_losses_are_never_negative_except_where_they_may_be(name: str, pair: tuple[Tensor, Tensor]) -> None:
    discriminator, generator = both(name, *pair)
    assert name == "wasserstein" or discriminator >= 0
    assert name in {"hinge", "minimax", "wasserstein"} or generator >= 0


@pytest.mark.statement(48)
def test_wasserstein_may_be_negative() -> None:
    assert all(value < 0 for value in both("wasserstein", torch.tensor([3.0]), torch.tensor([1.0])))


@pytest.mark.statement(49)
@few
@given(st.sampled_from(sorted(RELATIVISTIC)), logits(), numbers)
def test_relativistic_losses_see_differences_only(name: str, pair: tuple[Tensor, Tensor], shift: float) -> None:
    real, fake = pair
    assert all(map(close, both(name, real + shift, fake + shift), both(name, real, fake)))
    loss = LOSSES[name]
    assert close(loss.for_discriminator(real, fake), loss.for_generator(fake, real))


@pytest.mark.parametrize("name", sorted(set(LOSSES) - RELATIVISTIC))
def test_other_losses_see_more_than_differences(name: str) -> None:
    real, fake = torch.tensor([0.5, 0.1]), torch.tensor([-0.2, 0.3])
    assert not close(LOSSES[name].for_generator(None, fake + 2), LOSSES[name].for_generator(None, fake), 1e-2)
    assert name == "wasserstein" or not close(
        LOSSES[name].for_discriminator(real + 2, fake + 2), LOSSES[name].for_discriminator(real, fake), 1e-2
    )


@pytest.mark.statement(50)
@few
@given(names, logits(st.one_of(st.floats(-1e4, 1e4), st.sampled_from([-1e4, -100.0, 0.0, 100.0, 1e4]))))
def test_large_logits_give_true_values_and_finite_gradients(name: str, pair: tuple[Tensor, Tensor]) -> None:
    real, fake = (x.float().requires_grad_() for x in pair)
    for value, formula in zip(both(name, real, fake), FORMULAS[name], strict=True):
        gradients = torch.autograd.grad(value, (real, fake), materialize_grads=True, allow_unused=True)
        assert all(gradient.isfinite().all() for gradient in gradients)
        largest = max(1.0, *(float(x.detach().abs().max()) for x in (real, fake)))
        precision = 1e-6 * (largest**2 if name == "least_squares" else largest)
        assert abs(value.item() - formula(real.tolist(), fake.tolist())) <= precision


@pytest.mark.statement(50)
@few
@given(logits())
def test_the_logistic_gradient_on_fakes_is_a_probability(pair: tuple[Tensor, Tensor]) -> None:
    real, fake = pair[0].float(), pair[1].float().requires_grad_()
    (gradient,) = torch.autograd.grad(NonSaturating().for_discriminator(real, fake), fake)
    torch.testing.assert_close(gradient, torch.sigmoid(fake.detach()) / len(fake), atol=1e-6, rtol=0)


@pytest.mark.statement(50)
def test_non_saturating_does_not_saturate_and_minimax_does() -> None:
    fake = torch.tensor([-200.0], requires_grad=True)
    value = NonSaturating().for_generator(None, fake)
    assert value.item() == 200
    assert float(torch.autograd.grad(value, fake)[0]) == -1
    assert float(torch.autograd.grad(Minimax().for_generator(None, fake), fake)[0]) == 0


@pytest.mark.statement(57)
@few
@given(st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_the_best_hinge_discriminator_is_a_sign_found_by_brute_force(weights: list[int]) -> None:
    """Images A and B, with probabilities p for real and q for fake; the minimum is 2 Σ min(p, q), and lies in [0, 2]."""
    p, q = ([x + 1 for x in part] for part in (weights[:2], weights[2:]))
    total = math.lcm(sum(p), sum(q))
    p, q = ([x * total // sum(part) for x in part] for part in (p, q))  # now counts in batches of one size
    grid = [x / 4 for x in range(-8, 9)]

    def loss(d: tuple[float, ...]) -> float:
        real, fake = (torch.tensor([x for x, count in zip(d, side, strict=True) for _ in range(count)]) for side in (p, q))
        return float(Hinge().for_discriminator(real.double(), fake.double()))

    best = min(itertools.product(grid, repeat=2), key=loss)
    signs = [(a > b) - (a < b) for a, b in zip(p, q, strict=True)]
    assert close(loss(best), 2 * sum(map(min, p, q)) / total)
    assert close(loss(tuple(map(float, signs))), loss(best))
    assert all(x == sign for x, sign in zip(best, signs, strict=True) if sign)


def facts(*places: tuple[str, str, str]) -> Facts:
    return Facts(ImageSpec(3, 32), tuple(Use(path, kind, name, None) for path, kind, name in places))


def test_wasserstein_complains_of_spectral_norm_in_the_discriminator_only() -> None:
    inside = ("discriminator.network.weight_norm", "weight_norm", "spectral")
    (complaint,) = Wasserstein().check(facts(inside))
    assert inside[0] in complaint
    assert all(hint in complaint for hint in ('"hinge"', '"none"', '"gradient_penalty"'))
    fine = [("generator.weight_norm", "weight_norm", "spectral"), ("discriminator.weight_norm", "weight_norm", "none")]
    assert list(Wasserstein().check(facts(*fine))) == []
    assert list(Wasserstein().check(facts(("discriminator.attention", "attention", "spectral")))) == []


@pytest.mark.parametrize("name", sorted(RELATIVISTIC))
def test_a_relativistic_generator_learns_from_both_sides(name: str) -> None:
    real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    d_real, d_fake = torch.autograd.grad(LOSSES[name].for_generator(real, fake), (real, fake))
    assert (d_real > 0).all()
    assert (d_fake < 0).all()
