"""Extragradient, optimistic, lookahead and consensus in real games: with moments, buffers, counters and checkpoints."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
import torch
from attrs import frozen
from ganblocks_penalties.r1 import R1
from ganblocks_update_rules.alternating import Alternating
from ganblocks_update_rules.consensus import Consensus
from ganblocks_update_rules.extragradient import Extragradient
from ganblocks_update_rules.lookahead import Lookahead
from ganblocks_update_rules.optimistic import Optimistic
from ganblocks_update_rules.optimizers import SGD, Adam
from ganblocks_update_rules.simultaneous import Simultaneous
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import (
    Batch,
    Checked,
    CheckpointError,
    Facts,
    Game,
    HasEstimates,
    ImageSpec,
    LinearSchedule,
    Metrics,
    Observes,
    Player,
    Site,
    Turn,
    UpdateRule,
)
from ganblocks.game import Term
from ganblocks.testing import examples
from ganblocks.testing.toys import BilinearGame, LinearHead, ToyDiscriminator, ToyGenerator, toy_batches, toy_game

G, D = Player.GENERATOR, Player.DISCRIMINATOR
ADAMS: dict[str, Any] = {"generator": Adam(rate=1e-3, betas=(0.5, 0.9)), "discriminator": Adam(rate=4e-3, betas=(0.5, 0.9))}
SGDS: dict[str, Any] = {"generator": SGD(rate=0.1), "discriminator": SGD(rate=0.3)}
FACTS = Facts(ImageSpec(1, 8, 4), ())


def batch_for(player: Player) -> Batch:
    return Batch(torch.zeros(1), None, torch.zeros(1), None, seed=0)


# what counts, counts once per turn


@frozen
class Counting:
    """A block whose buffers count its forwards, its estimates' advances and the turns that it observes."""

    def build(self, site: Site) -> nn.Module:
        return nn.Sequential(nn.BatchNorm2d(site.channels), _Counts())


class _Counts(nn.Module, HasEstimates, Observes):
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(2, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        return x

    def advance(self) -> None:
        self.counts[0] += 1

    def settle(self, n: int = 20) -> None: ...

    def observe(self, turn: Turn) -> None:
        self.counts[1] += 1


def counting_game() -> Game:
    block = Counting()
    return toy_game(ToyGenerator(attention=block), ToyDiscriminator(attention=block, conditioning=LinearHead()))


COUNTED: dict[str, UpdateRule] = {
    "extragradient": Extragradient(**ADAMS),
    "extragradient on one batch": Extragradient(**ADAMS, sampling="same_batch"),
    "optimistic": Optimistic(**ADAMS),
    "consensus": Consensus(**ADAMS, weight=0.1),
    "lookahead": Lookahead(rule=Simultaneous(**ADAMS), steps=2, alpha=0.5),
}


@pytest.mark.parametrize("name", COUNTED)
def test_an_iteration_is_one_turn_of_each_player(name: str) -> None:
    def counted(rule: UpdateRule) -> dict[str, Tensor]:
        game, batches = counting_game(), toy_batches()
        updater = rule.start(game)
        for iteration in range(4):
            updater.step(batches, 8 * iteration)
        return {key: value for key, value in game.state_dict().items() if not value.is_floating_point()}

    ours, plain = counted(COUNTED[name]), counted(Simultaneous(**ADAMS))
    assert ours["turns.generator"] == ours["turns.discriminator"] == 4
    assert len(plain) == 2 + 2 * 2
    assert ours.keys() == plain.keys()
    assert all(torch.equal(ours[key], plain[key]) for key in plain)


# extragradient


def draws(rule: UpdateRule) -> tuple[BilinearGame, list[tuple[Player, Batch]]]:
    drawn: list[tuple[Player, Batch]] = []

    def next_batch(player: Player) -> Batch:
        drawn.append((player, batch_for(player)))
        return drawn[-1][1]

    game = BilinearGame()
    rule.start(game).step(next_batch, 7)
    return game, drawn


def test_a_fresh_batch_is_drawn_for_the_turn_and_both_count_as_seen() -> None:
    game, drawn = draws(Extragradient(**SGDS))
    assert [player for player, _ in drawn] == [D, D]
    assert [(player, seen) for player, _, seen in game.calls] == [(D, 7), (G, 7)]
    assert all(batch is drawn[1][1] for _, batch, _ in game.calls)


def test_the_same_batch_is_drawn_once() -> None:
    game, drawn = draws(Extragradient(**SGDS, sampling="same_batch"))
    assert [player for player, _ in drawn] == [D]
    assert all(batch is drawn[0][1] for _, batch, _ in game.calls)


@pytest.mark.parametrize("sampling", ["fresh_batch", "same_batch"])
def test_the_turn_is_judged_where_the_extrapolation_arrives(sampling: Any) -> None:
    """A game that notes where both stand whenever a gradient is asked for."""
    game, stood = BilinearGame(), []
    real = game.backward

    def backward(player: Player, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        stood.append((game.point(G).item(), game.point(D).item(), observe))
        return real(player, batch, images_seen, observe)

    updater = Extragradient(**SGDS, sampling=sampling).start(game)
    updater.game = type("Noting", (), {"networks": game.networks, "backward": staticmethod(backward)})()
    metrics = updater.step(batch_for, 0)
    assert stood == [(1.0, 1.0, False)] * 2 + [(pytest.approx(0.9), pytest.approx(1.3), True)] * 2
    assert metrics["generator/loss"].item() == pytest.approx(0.9 * 1.3)
    assert metrics["extrapolation/generator/gradient_norm"].item() == pytest.approx(1.0)
    assert metrics["generator/gradient_norm"].item() == pytest.approx(1.3)


class Moments:
    """Adam's running means of one number, as its paper writes them."""

    def __init__(self, rate: float, beta1: float, beta2: float) -> None:
        self.rate, self.beta1, self.beta2, self.m, self.v, self.t = rate, beta1, beta2, 0.0, 0.0, 0

    def step(self, gradient: float) -> float:
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * gradient
        self.v = self.beta2 * self.v + (1 - self.beta2) * gradient**2
        unbiased = self.v / (1 - self.beta2**self.t)
        return -self.rate * self.m / (1 - self.beta1**self.t) / (unbiased**0.5 + 1e-8)


def test_with_adam_it_is_extra_adam() -> None:
    """Gidel et al. 2019, algorithm 4: the moments see both gradients, and both steps begin at w_t."""
    x, y = 1.0, 1.0
    game, of_x, of_y = BilinearGame(), Moments(1e-3, 0.5, 0.9), Moments(4e-3, 0.5, 0.9)
    updater = Extragradient(**ADAMS).start(game)
    for _ in range(6):
        updater.step(batch_for, 0)
        tried_x, tried_y = x + of_x.step(y), y + of_y.step(-x)
        x, y = x + of_x.step(tried_y), y + of_y.step(-tried_x)
        assert (game.point(G).item(), game.point(D).item()) == pytest.approx((x, y), rel=1e-10)


# optimistic


def test_with_adam_it_is_optimistic_adam() -> None:
    """Daskalakis et al. 2018, algorithm 1: w − 2η m̂_t/(√v̂_t + ε) + η m̂_{t−1}/(√v̂_{t−1} + ε)."""
    x, y = 1.0, 1.0
    last_x = last_y = 0.0
    game, of_x, of_y = BilinearGame(), Moments(1e-3, 0.5, 0.9), Moments(4e-3, 0.5, 0.9)
    updater = Optimistic(**ADAMS).start(game)
    for _ in range(6):
        updater.step(batch_for, 0)
        step_x, step_y = of_x.step(y), of_y.step(-x)
        x, y = x + 2 * step_x - last_x, y + 2 * step_y - last_y
        last_x, last_y = step_x, step_y
        assert (game.point(G).item(), game.point(D).item()) == pytest.approx((x, y), rel=1e-10)


def test_each_gradient_of_optimistic_descent_has_the_rate_of_its_own_moment() -> None:
    rate, x, y = LinearSchedule(start=0.1, end=0.3, images=20), 1.0, 1.0
    before_x = before_y = 0.0
    game = BilinearGame()
    updater = Optimistic(generator=SGD(rate=rate), discriminator=SGD(rate=rate)).start(game)
    for seen in (0, 10, 20):
        updater.step(batch_for, seen)
        step_x, step_y = -rate.at(seen) * y, rate.at(seen) * x
        x, y = x + 2 * step_x - before_x, y + 2 * step_y - before_y
        before_x, before_y = step_x, step_y
        assert (game.point(G).item(), game.point(D).item()) == pytest.approx((x, y), rel=1e-12)


# lookahead


@given(st.integers(1, 4), st.floats(0.1, 0.9))
@examples(8)
def test_stepping_back_moves_parameters_and_nothing_else(steps: int, alpha: float) -> None:
    """Until then both runs are one; then weights lie on the way, and moments and buffers are the inner rule's."""
    ours, plain = counting_game(), counting_game()
    start = {name: value.clone() for name, value in plain.state_dict().items()}
    updater, inner = (
        Lookahead(rule=Alternating(**ADAMS), steps=steps, alpha=alpha).start(ours),
        Alternating(**ADAMS).start(plain),
    )
    batches, again = toy_batches(), toy_batches()
    for iteration in range(steps):
        assert_equal(ours.state_dict(), plain.state_dict())
        updater.step(batches, 8 * iteration)
        inner.step(again, 8 * iteration)
    assert_equal(updater.state_dict()["rule"], inner.state_dict())
    trained = {f"{player}.{name}" for player, network in plain.networks.items() for name, _ in network.named_parameters()}
    for name, value in ours.state_dict().items():
        ahead = plain.state_dict()[name]
        wanted = start[name] + alpha * (ahead - start[name]) if name in trained else ahead
        torch.testing.assert_close(value, wanted, rtol=1e-5, atol=1e-7)


def test_slow_weights_are_those_that_training_starts_from() -> None:
    """Weights may come from another run after the rule was started (``--init-from``)."""
    game = BilinearGame()
    updater = Lookahead(rule=Simultaneous(**SGDS), steps=1, alpha=0.5).start(game)
    with torch.no_grad():
        game.point(G).fill_(3.0)
    updater.step(batch_for, 0)
    assert game.point(G).item() == pytest.approx(3.0 - 0.5 * 0.1)


def test_a_lookahead_of_a_lookahead_nests() -> None:
    game = BilinearGame(torch.tensor([2.0], dtype=torch.float64))
    inner = Lookahead(rule=Simultaneous(generator=SGD(rate=0.0), discriminator=SGD(rate=0.1)), steps=1, alpha=0.5)
    updater = Lookahead(rule=inner, steps=2, alpha=0.25).start(game)
    for _ in range(4):  # y gains 0.1 · 2 · 0.5 an iteration, of which a quarter stays after every second one
        updater.step(batch_for, 0)
    assert game.point(D).item() == pytest.approx(1 + 2 * 0.25 * 2 * 0.1)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"steps": 1}, "steps at least 2"), ({"alpha": 1.0}, "nothing steps back"), ({"steps": 2, "alpha": 0.5}, None)],
)
def test_a_lookahead_that_does_nothing_of_its_own_is_refused(options: dict[str, Any], words: str | None) -> None:
    rule = Lookahead(rule=Alternating(**SGDS), **options)
    assert isinstance(rule, Checked)
    complaints = list(rule.check(FACTS))
    assert len(complaints) == (words is not None)
    assert all(str(words) in complaint for complaint in complaints)


@pytest.mark.parametrize(("outer", "refused"), [(6, False), (5, True)])
def test_nested_lookaheads_step_back_together(outer: int, refused: bool) -> None:
    inner = Lookahead(rule=Alternating(**SGDS), steps=3, alpha=0.5)
    complaints = list(Lookahead(rule=inner, steps=outer, alpha=0.5).check(FACTS))
    assert bool(complaints) == refused
    assert all("update.rule.steps" in complaint for complaint in complaints)


@pytest.mark.parametrize("options", [{"steps": 0}, {"steps": 2.0}, {"alpha": 0.0}, {"alpha": 1.1}])
def test_options_of_lookahead_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        Lookahead(rule=Alternating(**SGDS), **options)


# consensus


def test_consensus_descends_on_the_joint_gradient_of_a_real_game() -> None:
    """Along −∇E the energy E falls by ‖∇E‖² to first order."""
    game, batch = toy_game(), toy_batches()(D)
    updater = Consensus(**SGDS, weight=1.0).start(game)
    energy, pull = updater.energy(batch, 0)
    slope = sum(gradient.square().sum() for gradient in pull.values()).item()
    step = 1e-2 * energy.item() / slope
    with torch.no_grad():
        for parameter, gradient in pull.items():
            parameter -= step * gradient
    assert (energy - updater.energy(batch, 0)[0]).item() == pytest.approx(step * slope, rel=0.1)


def test_the_pull_has_the_penalties_that_are_due_in_its_turn() -> None:
    """R1 counts in the first of two turns: a pull that came after the turn would miss it."""
    batch = toy_batches()(D)
    one, two = (
        Consensus(**SGDS, weight=1.0).start(toy_game(terms=[Term("r1", R1(), R1().build(), every=2)])) for _ in range(2)
    )
    assert two.step(lambda player: batch, 0)["consensus/energy"] == one.energy(batch, 0)[0]


def test_consensus_without_weight_is_simultaneous_descent_and_says_so() -> None:
    ours, plain = toy_game(), toy_game()
    rule = Consensus(**SGDS, weight=0.0)
    rule.start(ours).step(toy_batches(), 0)
    Simultaneous(**SGDS).start(plain).step(toy_batches(), 0)
    theirs = plain.state_dict()
    assert all(torch.allclose(value, theirs[key], rtol=1e-6, atol=1e-8) for key, value in ours.state_dict().items())
    (complaint,) = rule.check(FACTS)
    assert '"simultaneous"' in complaint
    assert not list(Consensus(**SGDS).check(FACTS))


def test_consensus_leaves_parameters_that_do_not_train_alone() -> None:
    game = toy_game()
    still = next(game.networks[D].parameters()).requires_grad_(False)
    before = still.detach().clone()
    Consensus(**SGDS, weight=0.1).start(game).step(toy_batches(), 0)
    assert torch.equal(still, before)


# state


@pytest.mark.parametrize("name", ["optimistic", "lookahead"])
def test_what_a_rule_keeps_is_refused_by_another_network(name: str) -> None:
    updater = COUNTED[name].start(toy_game())
    updater.step(toy_batches(), 0)
    kept = "last" if name == "optimistic" else "slow"
    state = copy.deepcopy(updater.state_dict())
    state[kept]["generator.colour.weight"] = state[kept].pop("generator.linear.weight")
    with pytest.raises(CheckpointError, match=r"generator\.colour\.weight"):
        updater.load_state_dict(state)
    state = copy.deepcopy(updater.state_dict())
    state[kept]["generator.linear.weight"] = torch.zeros(2)
    with pytest.raises(CheckpointError, match=r"generator\.linear\.weight"):
        updater.load_state_dict(state)


@pytest.mark.parametrize("name", COUNTED)
def test_a_rule_that_has_not_stepped_restores_too(name: str) -> None:
    """What was there before must not matter: the restored rule has already stepped in another game."""
    game, again = toy_game(), toy_game(seed=1)
    updater, restored = COUNTED[name].start(game), COUNTED[name].start(again)
    kept = copy.deepcopy((game.state_dict(), updater.state_dict()))
    restored.step(toy_batches(seed=5), 0)
    again.load_state_dict(kept[0])
    restored.load_state_dict(kept[1])
    for at_work in (updater, restored):
        play(at_work, toy_batches(), 2)
    assert_equal(again.state_dict(), game.state_dict())


def test_what_a_rule_keeps_has_the_layout_of_the_parameters() -> None:
    game = toy_game()
    game.networks[D].to(memory_format=torch.channels_last)
    updater = Lookahead(rule=Optimistic(**SGDS), steps=2, alpha=0.5).start(game)
    updater.step(toy_batches(), 0)
    state = copy.deepcopy(updater.state_dict())
    for kept in (state["slow"], state["rule"]["last"]):
        kept |= {name: value.clone(memory_format=torch.contiguous_format) for name, value in kept.items()}
    updater.load_state_dict(state)
    strides = {f"discriminator.{name}": parameter.stride() for name, parameter in game.networks[D].named_parameters()}
    for kept in (updater.slow, updater.rule.last):  # type: ignore[attr-defined]
        assert {name: kept[name].stride() for name in strides} == strides


def play(updater: Any, batches: Callable[[Player], Batch], iterations: int) -> None:
    for iteration in range(iterations):
        updater.step(batches, 8 * iteration)


def assert_equal(a: Any, b: Any) -> None:
    if isinstance(a, Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, Sequence | Iterable) and not isinstance(a, str):
        for one, other in zip(a, b, strict=True):
            assert_equal(one, other)
    else:
        assert a == b
