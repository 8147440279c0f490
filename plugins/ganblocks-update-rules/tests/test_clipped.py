from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from ganblocks_update_rules.alternating import Alternating
from ganblocks_update_rules.clipped import Clipped
from ganblocks_update_rules.extragradient import Extragradient
from ganblocks_update_rules.optimizers import SGD, Adam
from ganblocks_update_rules.ttur import TTUR
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ganblocks import Cosine, Facts, ImageSpec, LinearSchedule, Player, guarded_step
from ganblocks.testing import examples
from ganblocks.testing.toys import toy_batches, toy_game

G, D = Player.GENERATOR, Player.DISCRIMINATOR


@given(st.integers(0, 2**16), st.floats(1e-3, 1e3), st.floats(1e-2, 10))
@examples(30)
def test_a_step_is_no_longer_than_the_bound_and_has_the_gradients_direction(seed: int, scale: float, norm: float) -> None:
    rng = torch.Generator().manual_seed(seed)
    gradients = [scale * torch.randn(shape, generator=rng, dtype=torch.float64) for shape in ((3, 2), (4,))]
    parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    report = guarded_step(Clipped(optimizer=SGD(rate=1.0), norm=norm).start(parameters), {"lr": 1.0})
    length = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    assert report["gradient_norm"].item() == pytest.approx(length.item(), rel=1e-6)  # of the gradient as it came
    for parameter, gradient in zip(parameters, gradients, strict=True):
        torch.testing.assert_close(parameter.detach(), -gradient * min(1.0, norm / length.item()), rtol=1e-3, atol=0)
    assert torch.cat([parameter.detach().flatten() for parameter in parameters]).norm() <= norm * (1 + 1e-9)


def test_a_gradient_within_the_bound_is_untouched() -> None:
    """Bit for bit what the inner optimizer does alone."""
    ours, plain = toy_game(), toy_game()
    inner: dict[str, Any] = {"generator": Adam(rate=1e-3), "discriminator": Adam(rate=4e-3)}
    both: dict[str, Any] = {name: Clipped(optimizer=optimizer, norm=1e6) for name, optimizer in inner.items()}
    for game, rule in ((ours, Alternating(**both)), (plain, Alternating(**inner))):
        updater, batches = rule.start(game), toy_batches()
        for i in range(3):
            updater.step(batches, 8 * i)
    theirs = plain.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.state_dict().items())


@pytest.mark.parametrize("spoilt", [torch.nan, torch.inf])
def test_what_is_not_finite_is_still_stopped_and_reported(spoilt: float) -> None:
    parameter = nn.Parameter(torch.ones(3))
    parameter.grad = torch.tensor([1.0, spoilt, 1.0])
    report = guarded_step(Clipped(optimizer=SGD(rate=1.0), norm=0.5).start([parameter]), {"lr": 1.0})
    assert not report["gradient_norm"].isfinite()
    assert torch.equal(parameter.detach(), torch.ones(3))


@pytest.mark.parametrize("rule", [Alternating, Extragradient])
def test_the_state_is_the_inner_optimizers_and_restores_to_the_bit(rule: Any) -> None:
    both: dict[str, Any] = {
        "generator": Clipped(optimizer=Adam(rate=1e-3), norm=0.01),
        "discriminator": Clipped(optimizer=SGD(rate=1e-2, momentum=0.9), norm=0.01),
    }
    game, again = toy_game(), toy_game(seed=1)
    updater, restored = rule(**both).start(game), rule(**both).start(again)
    batches = toy_batches()
    for i in range(3):
        updater.step(batches, 8 * i)
    state = updater.state_dict()
    assert set(state["generator"]["parameters"]) == {name for name, _ in game.networks[G].named_parameters()}
    again.load_state_dict(copy.deepcopy(game.state_dict()))
    restored.load_state_dict(copy.deepcopy(state))
    for at_work in (updater, restored):
        batches = toy_batches(seed=1)
        for i in range(3):
            metrics = at_work.step(batches, 8 * i)
            assert metrics["discriminator/gradient_norm"] > 0.01  # the hook outlives loading, or the two would part
    theirs = game.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in again.state_dict().items())


def test_loading_a_state_keeps_the_bound() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    optimizer = Clipped(optimizer=SGD(rate=1.0), norm=0.5).start([parameter])
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    parameter.grad = torch.tensor([3.0, 4.0])
    guarded_step(optimizer, {"lr": 1.0})
    torch.testing.assert_close(parameter.detach(), torch.tensor([-0.3, -0.4]), rtol=1e-5, atol=0)


def test_settings_are_the_inner_optimizers() -> None:
    rate = LinearSchedule(start=0.1, end=0.3, images=10)
    assert Clipped(optimizer=SGD(rate=rate)).settings(5) == {"lr": pytest.approx(0.2)}


def test_ttur_sees_through_it() -> None:
    facts = Facts(ImageSpec(1, 8, 4), ())
    falling = Clipped(optimizer=Adam(rate=Cosine(start=4e-4, end=0.0)))
    (complaint,) = TTUR(generator=Clipped(optimizer=Adam(rate=1e-4)), discriminator=falling).check(facts)
    assert "update.rate_factor" in complaint
    assert not list(TTUR(generator=Clipped(optimizer=Adam(rate=1e-4)), discriminator=Adam(rate=4e-4)).check(facts))


@pytest.mark.parametrize("norm", [0.0, -1.0, "1"])
def test_bounds_that_are_none_are_refused(norm: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="norm"):
        Clipped(optimizer=SGD(), norm=norm)
