"""LeCam against its equation, sample by sample, and its running means against their recurrence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ganblocks_penalties.lecam import LeCam
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks import Player
from ganblocks.game import Term
from ganblocks.testing import examples
from ganblocks.testing.toys import toy_batches, toy_game

few = examples(20)
numbers = st.lists(st.floats(-5, 5), min_size=1, max_size=6)
decays = st.floats(0, 0.999)


def turn(real: list[float], fake: list[float], player: Player = Player.DISCRIMINATOR, images_seen: int = 0) -> Any:
    """A turn that has logits only."""
    views = [SimpleNamespace(score=SimpleNamespace(logits=torch.tensor(x, dtype=torch.float64))) for x in (real, fake)]
    return SimpleNamespace(player=player, images_seen=images_seen, real=views[0], fake=views[1])


def anchored(real: float, fake: float, **options: Any) -> Any:
    module = LeCam(**options).build().double()
    module.observe(turn([real], [fake]))
    return module


@few
@given(numbers, numbers, st.floats(-3, 3), st.floats(-3, 3))
def test_it_is_its_equation(real: list[float], fake: list[float], mean_real: float, mean_fake: float) -> None:
    value = anchored(mean_real, mean_fake)(turn(real, fake))
    above = sum((x - mean_fake) ** 2 for x in real) / len(real)
    below = sum((x - mean_real) ** 2 for x in fake) / len(fake)
    assert value.shape == ()
    assert value.item() == pytest.approx(above + below, rel=1e-10, abs=1e-12)


@few
@given(numbers, numbers, st.floats(-3, 3), st.floats(-3, 3))
def test_one_sided_only_the_usual_order_counts(
    real: list[float], fake: list[float], mean_real: float, mean_fake: float
) -> None:
    value = anchored(mean_real, mean_fake, sided="one")(turn(real, fake))
    above = sum(max(x - mean_fake, 0) ** 2 for x in real) / len(real)
    below = sum(max(mean_real - x, 0) ** 2 for x in fake) / len(fake)
    assert value.item() == pytest.approx(above + below, rel=1e-10, abs=1e-12)


@few
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6), decays)
def test_means_begin_with_the_first_turn_and_then_decay(turns: list[tuple[list[float], list[float]]], decay: float) -> None:
    module = LeCam(decay=decay).build().double()
    expected: list[float] = []
    for real, fake in turns:
        module.observe(turn(real, fake))
        means = [sum(real) / len(real), sum(fake) / len(fake)]
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected or means, means, strict=True)]
    assert [module.real.item(), module.fake.item()] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_generators_turns_move_nothing() -> None:
    module = anchored(1.0, -1.0)
    module.observe(turn([5.0], [5.0], Player.GENERATOR))
    assert (module.real, module.fake, module.turns) == (1, -1, 1)


def test_means_go_on_where_they_were_saved() -> None:
    module, resumed = anchored(1.0, -1.0, decay=0.75), LeCam(decay=0.75).build().double()
    resumed.load_state_dict(module.state_dict())
    resumed.observe(turn([3.0], [5.0]))
    assert (resumed.real, resumed.fake) == (1.5, 0.5)


def test_before_its_start_it_only_watches() -> None:
    module = LeCam(start=100).build()
    module.observe(turn([1.0], [-2.0], images_seen=0))
    assert module(turn([5.0], [5.0], images_seen=99)) == 0
    assert module(turn([5.0], [5.0], images_seen=100)) == 7**2 + 4**2


def test_the_means_are_constants_to_the_gradient() -> None:
    given_turn = turn([1.0, 2.0], [3.0])
    logits: Tensor = given_turn.real.score.logits.requires_grad_()
    (gradient,) = torch.autograd.grad(anchored(0.5, 0.25)(given_turn), logits)
    assert gradient.tolist() == [(1 - 0.25), (2 - 0.25)]


@pytest.mark.parametrize("microbatch", [None, 3])
def test_in_a_real_game_the_means_are_those_of_the_whole_batch_and_are_saved(microbatch: int | None) -> None:
    game = toy_game(terms=[Term("lecam", LeCam(), LeCam().build())], microbatch=microbatch)
    batches = toy_batches()
    metrics = game.backward(Player.DISCRIMINATOR, batches(Player.DISCRIMINATOR), 0)
    state = game.state_dict()
    torch.testing.assert_close(state["penalties.lecam.real"], metrics["discriminator/real"])
    torch.testing.assert_close(state["penalties.lecam.fake"], metrics["discriminator/fake"])
    before = {name: value.clone() for name, value in state.items() if "lecam" in name}
    game.backward(Player.GENERATOR, batches(Player.GENERATOR), 8)
    game.objective(Player.DISCRIMINATOR, batches(Player.DISCRIMINATOR), 8, (Player.DISCRIMINATOR,))
    game.backward(Player.DISCRIMINATOR, batches(Player.DISCRIMINATOR), 8, observe=False)
    assert all(torch.equal(game.state_dict()[name], value) for name, value in before.items())


def test_bad_options_are_refused() -> None:
    for options in ({"decay": 1.0}, {"decay": -0.1}, {"start": -1}, {"start": 0.5}, {"sided": "three"}):
        with pytest.raises((ValueError, TypeError)):
            LeCam(**options)
