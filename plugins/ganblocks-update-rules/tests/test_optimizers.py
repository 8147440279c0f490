from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import attrs
import pytest
import torch
from ganblocks_update_rules.optimizers import SGD, Adam, AdamW, NAdam, RAdam, RMSprop, TorchOptimizer
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Cosine, LinearSchedule, WarmUp, guarded_step
from ganblocks.testing import examples

ALL: list[type[TorchOptimizer]] = [Adam, AdamW, NAdam, RAdam, RMSprop, SGD]
gradients = st.lists(st.floats(-1e3, 1e3).filter(lambda g: g == 0 or abs(g) > 1e-6), min_size=1, max_size=6)


def moved(component: TorchOptimizer, start: Tensor, grads: list[Tensor]) -> Tensor:
    """Where ``start`` is after one step along each gradient."""
    parameter = nn.Parameter(start.clone(memory_format=torch.preserve_format))
    optimizer = component.start([parameter])
    for gradient in grads:
        parameter.grad = gradient.clone()
        optimizer.param_groups[0].update(component.settings(0))
        optimizer.step()
    return parameter.detach()


@pytest.mark.statement(77)
@given(gradients, st.floats(1e-6, 1e-1), st.floats(0.1, 0.999))
@examples(40)
def test_first_adam_step_is_the_sign_times_the_rate(g: list[float], rate: float, beta2: float) -> None:
    gradient = torch.tensor(g, dtype=torch.float64)
    step = moved(Adam(rate=rate, betas=(0.0, beta2)), torch.zeros_like(gradient), [gradient])
    torch.testing.assert_close(step, -rate * gradient / (gradient.abs() + 1e-8), rtol=1e-6, atol=0)
    assert (step.abs() <= rate * (1 + 1e-9)).all()


@pytest.mark.statement(77)
@given(gradients)
@examples(20)
def test_four_times_the_rate_is_four_times_the_first_step(g: list[float]) -> None:
    gradient = torch.tensor(g, dtype=torch.float64)
    slow, fast = (moved(Adam(rate=rate), torch.zeros_like(gradient), [gradient]) for rate in (1e-4, 4e-4))
    torch.testing.assert_close(fast, 4 * slow, rtol=1e-6, atol=0)


def adam(theta: Tensor, grads: list[Tensor], o: Adam, rate: float, decoupled: bool) -> Tensor:
    m = v = torch.zeros_like(theta)
    for t, g in enumerate(grads, 1):
        shrunk = theta * (1 - rate * o.weight_decay) if decoupled else theta
        gradient = g if decoupled else g + o.weight_decay * theta
        m = o.betas[0] * m + (1 - o.betas[0]) * gradient
        v = o.betas[1] * v + (1 - o.betas[1]) * gradient**2
        theta = shrunk - rate * (m / (1 - o.betas[0] ** t)) / ((v / (1 - o.betas[1] ** t)).sqrt() + o.eps)
    return theta


def rmsprop(theta: Tensor, grads: list[Tensor], o: RMSprop, rate: float) -> Tensor:
    v = torch.zeros_like(theta)
    for g in grads:
        v = o.alpha * v + (1 - o.alpha) * g**2
        theta = theta - rate * g / (v.sqrt() + o.eps)
    return theta


def sgd(theta: Tensor, grads: list[Tensor], o: SGD, rate: float) -> Tensor:
    b = torch.zeros_like(theta)
    for g in grads:
        b = o.momentum * b + g
        theta = theta - rate * (g + o.momentum * b if o.nesterov else b)
    return theta


CLOSED: list[tuple[TorchOptimizer, Callable[..., Tensor]]] = [
    (Adam(rate=0.01, betas=(0.5, 0.9), weight_decay=0.1), lambda *a: adam(*a, decoupled=False)),
    (Adam(rate=0.01), lambda *a: adam(*a, decoupled=False)),
    (AdamW(rate=0.01, betas=(0.5, 0.9), weight_decay=0.1), lambda *a: adam(*a, decoupled=True)),
    (RMSprop(rate=0.01, alpha=0.9), rmsprop),
    (SGD(rate=0.01), sgd),
    (SGD(rate=0.01, momentum=0.9), sgd),
    (SGD(rate=0.01, momentum=0.9, nesterov=True), sgd),
]


@pytest.mark.parametrize(("component", "closed"), CLOSED, ids=lambda value: type(value).__name__)
def test_steps_follow_the_published_equation(component: TorchOptimizer, closed: Callable[..., Tensor]) -> None:
    rng = torch.Generator().manual_seed(1)
    start, *grads = torch.randn(9, 5, generator=rng, dtype=torch.float64)
    torch.testing.assert_close(moved(component, start, grads), closed(start, grads, component, 0.01), rtol=1e-10, atol=0)


@pytest.mark.parametrize("kind", ALL)
def test_memory_layout_does_not_matter(kind: type[TorchOptimizer]) -> None:
    """A channels_last weight meets a gradient laid out otherwise (torch's fused form alone fails this on a processor)."""
    rng = torch.Generator().manual_seed(2)
    start, *grads = torch.randn(5, 4, 3, 2, 2, generator=rng)
    plain = moved(kind(), start, grads)
    assert torch.equal(moved(kind(), start.to(memory_format=torch.channels_last), grads), plain)
    assert not torch.equal(plain, start)


@pytest.mark.parametrize("kind", ALL)
def test_memory_layout_of_a_loaded_state_does_not_matter(kind: type[TorchOptimizer]) -> None:
    """As of a checkpoint, which has no strides."""
    rng = torch.Generator().manual_seed(3)
    start, *grads = torch.randn(4, 4, 3, 2, 2, generator=rng)
    ended = []
    for load in (False, True):
        parameter = nn.Parameter(start.to(memory_format=torch.channels_last, copy=True))
        optimizer = kind().start([parameter])
        for grad in grads:
            if load:
                state = optimizer.state_dict()
                state["state"] = {
                    index: {name: v.contiguous() if isinstance(v, Tensor) else v for name, v in kept.items()}
                    for index, kept in state["state"].items()
                }
                optimizer.load_state_dict(state)
            parameter.grad = grad.clone()
            optimizer.step()
        ended.append(parameter.detach())
    assert torch.equal(*ended)


@pytest.mark.parametrize("kind", ALL)
def test_options_reach_torch_by_name(kind: type[TorchOptimizer]) -> None:
    component = kind()
    group = component.start([nn.Parameter(torch.zeros(1))]).param_groups[0]
    options = {option.name for option in attrs.fields(kind)} - {"rate", "beta2"}  # these move
    assert options
    assert {name: group[name] for name in options} == {name: getattr(component, name) for name in options}


def test_rate_may_be_a_schedule() -> None:
    component = Adam(rate=WarmUp(images=100, then=LinearSchedule(start=1e-3, end=0.0, images=1000)))
    rates = [component.settings(seen)["lr"] for seen in (0, 50, 100, 550, 1000, 5000)]
    assert rates == pytest.approx([0.0, 0.5 * 0.95e-3, 0.9e-3, 0.45e-3, 0.0, 0.0], abs=1e-12)


def wrong_options() -> Iterator[tuple[type[TorchOptimizer], dict[str, object]]]:
    for kind in ALL:
        yield from ((kind, {"rate": rate}) for rate in (-1e-4, math.inf, math.nan))
        yield kind, {"weight_decay": -0.1}
    for kind in (Adam, AdamW, NAdam, RAdam):
        yield from ((kind, {"betas": betas}) for betas in ((0.0, 1.0), (-0.1, 0.9), (0.9,), (0.0, 0.9, 0.99)))
    yield RMSprop, {"alpha": 1.0}
    yield SGD, {"momentum": 1.0}
    yield SGD, {"nesterov": True}


@pytest.mark.parametrize(("kind", "options"), list(wrong_options()))
def test_options_out_of_range_are_refused(kind: type[TorchOptimizer], options: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        kind(**options)


@pytest.mark.parametrize("optimizer", [Adam, AdamW, NAdam, RAdam])
def test_the_second_beta_may_move(optimizer: type[Adam]) -> None:
    """R3GAN's raises it: torch's groups have it at every moment; without a schedule settings say nothing of betas."""
    component = optimizer(betas=(0.0, 0.9), beta2=Cosine(start=0.9, end=0.99, images=100))
    wanted = [(0.0, 0.9), pytest.approx((0.0, 0.945)), (0.0, 0.99)]
    assert [component.settings(seen)["betas"] for seen in (0, 50, 100)] == wanted
    started = component.start([torch.nn.Parameter(torch.ones(1))])
    assert started.param_groups[0]["betas"] == (0.0, 0.9)
    guarded_step(started, component.settings(100))
    assert started.param_groups[0]["betas"] == (0.0, 0.99)
    assert "betas" not in optimizer().settings(0)
    with pytest.raises(ValueError, match="beta2"):
        optimizer(beta2=1.0)
