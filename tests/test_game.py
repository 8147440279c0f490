"""The game: who changes in a turn, that evaluation repeats, and that microbatches and extra forwards leave no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Batch, Constant, HasEstimates, MixesSamples, Objective, Observes, Player, Score, Turn
from ganblocks.diversity import nearest_distance
from ganblocks.game import Term, TwoPlayerGame, frozen_parameters, unchanged_buffers
from ganblocks.testing import examples

G, D = Player.GENERATOR, Player.DISCRIMINATOR


class Counter(nn.Module, HasEstimates, Observes):
    """Counts what the game does to it."""

    advanced: Tensor
    observed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("advanced", torch.zeros(()))
        self.register_buffer("observed", torch.zeros(()))
        self.turns: list[Turn] = []

    def advance(self) -> None:
        self.advanced += 1

    def settle(self, n: int = 20) -> None: ...

    def observe(self, turn: Turn) -> None:
        assert not torch.is_grad_enabled()
        self.observed += 1
        self.turns.append(turn)


class Mixing(nn.BatchNorm2d, MixesSamples):
    pass


class ToyGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm, self.counter = nn.Linear(5, 3 * 16), nn.BatchNorm2d(3), Counter()
        self.classes = nn.Embedding(4, 5)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.linear(z + self.classes(label)).view(-1, 3, 4, 4)))


class ToyDiscriminator(nn.Module):
    def __init__(self, norm: Callable[[], nn.Module] = nn.Identity) -> None:
        super().__init__()
        self.conv, self.norm, self.head, self.counter = nn.Conv2d(3, 6, 3), norm(), nn.Linear(6, 1), Counter()
        self.classes = nn.Embedding(4, 6)
        self.passes = 0

    def forward(self, image: Tensor, label: Tensor) -> Score:
        self.passes += 1
        features = torch.nn.functional.softplus(self.norm(self.conv(image))).sum((2, 3))
        return Score(self.head(features)[:, 0] + (self.classes(label) * features).sum(1), features=features)


@frozen
class Plain:
    """The non-saturating loss."""

    generator_reads_real: bool = False

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        assert (real is not None) == self.generator_reads_real
        return nn.functional.softplus(-fake).mean()


def game(norm: Callable[[], nn.Module] = nn.Identity, **options: Any) -> TwoPlayerGame:
    torch.manual_seed(0)
    return TwoPlayerGame({G: ToyGenerator(), D: ToyDiscriminator(norm)}, options.pop("loss", Plain()), **options)


def batch(n: int = 6, seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (2, n), generator=rng)
    return Batch(torch.rand(n, 3, 4, 4, generator=rng) * 2 - 1, labels[0], torch.randn(n, 5, generator=rng), labels[1], seed)


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.statement(56)
@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize("norm", [nn.Identity, lambda: Mixing(6)])
def test_a_turn_gives_gradients_to_its_player_only_and_moves_no_buffer_of_the_other(player: Player, norm: Any) -> None:
    played = game(norm)
    before = snapshot(played.networks[player.other])
    played.backward(player, batch(), 0)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in played.networks[player].parameters() if p.ndim > 1)
    assert all(p.grad is None and p.requires_grad for p in played.networks[player.other].parameters())
    after = snapshot(played.networks[player.other])
    after["counter.observed"], before["counter.observed"] = torch.zeros(()), torch.zeros(())  # observers see every turn
    assert equal(before, after)


def test_a_turn_replaces_old_gradients() -> None:
    played = game()
    played.backward(G, batch(), 0)
    first = {name: p.grad.clone() for name, p in played.networks[G].named_parameters() if p.grad is not None}
    played.backward(G, batch(), 0, observe=False)
    assert all(torch.allclose(first[name], p.grad) for name, p in played.networks[G].named_parameters() if p.grad is not None)


@pytest.mark.parametrize("player", Player)
def test_estimates_advance_once_per_turn_and_observers_see_the_whole_batch_once(player: Player) -> None:
    played = game(microbatch=2)
    played.backward(player, batch(), 0)
    own, other = played.networks[player].counter, played.networks[player.other].counter
    assert (own.advanced, other.advanced, own.observed) == (1, 0, 1)
    turn = own.turns[0]
    assert len(turn.fake.image) == 6
    assert not turn.fake.image.requires_grad
    assert not turn.fake.score.logits.requires_grad
    assert (turn.real is None) == (player is G)
    assert played.turns[player] == 1


@pytest.mark.parametrize("size", [1, 2, 6])
def test_how_varied_images_are_is_told_of_the_whole_batch(size: int) -> None:
    played = game(microbatch=size)
    played.networks[G].norm = nn.Identity()  # batch statistics do depend on the microbatch
    fake = played.make(batch().latent, batch().fake_label)
    metrics = played.backward(D, batch(), 0)
    torch.testing.assert_close(metrics["real/nearest"], nearest_distance(batch().image))
    torch.testing.assert_close(metrics["fake/nearest"], nearest_distance(fake))
    assert not any("nearest" in name for name in played.backward(G, batch(), 0))


@pytest.mark.parametrize("player", Player)
def test_an_extrapolation_changes_nothing_but_gradients(player: Player) -> None:
    played = game(lambda: Mixing(6))
    before = played.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    played.backward(player, batch(), 0, observe=False)
    assert equal(before, played.state_dict())


@pytest.mark.statement(78)
@examples(20)
@given(size=st.integers(1, 6), player=st.sampled_from(list(Player)), seed=st.integers(0, 99))
def test_microbatches_add_up_to_the_gradient_of_the_whole(size: int, player: Player, seed: int) -> None:
    gradients = []
    for microbatch in (None, size):
        played = game(microbatch=microbatch)
        played.networks[G].norm = nn.Identity()  # batch statistics do depend on the microbatch
        played.backward(player, batch(seed=seed), 0)
        gradients.append([p.grad for p in played.networks[player].parameters() if p.grad is not None])
    assert len(gradients[0]) > 0
    for whole, parts in zip(*gradients, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


def test_one_pass_scores_as_two_do_and_mixing_discriminators_get_two() -> None:
    one, two = game(), game(lambda: Mixing(6))
    one.backward(D, batch(), 0)
    two.backward(D, batch(), 0)
    assert one.networks[D].passes == 1
    assert two.networks[D].passes == 2
    network, drawn = one.networks[D], batch()
    fake = one.make(drawn.latent, drawn.fake_label)
    expected = Plain().for_discriminator(network(drawn.image, drawn.label).logits, network(fake, drawn.fake_label).logits)
    actual = one.objective(D, drawn, 0, through=()).total
    torch.testing.assert_close(actual, expected)


class Noisy(nn.Module):
    """An augment that draws from its generator, and from torch's own random numbers."""

    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        return image + torch.randn(image.shape, generator=rng) + torch.randn(image.shape)


@pytest.mark.parametrize("player", Player)
def test_an_objective_repeats_and_leaves_the_global_random_numbers_alone(player: Player) -> None:
    played = game(augment=Noisy())
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first: Objective = played.objective(player, batch(), 0, through=Player)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first.total, played.objective(player, batch(), 0, through=Player).total)
    other_seed = evolve(batch(), seed=1)
    assert not torch.equal(first.total, played.objective(player, other_seed, 0, through=Player).total)


@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize("through", [(G,), (D,), (G, D)])
def test_an_objective_is_a_graph_through_exactly_the_players_asked_for(player: Player, through: tuple[Player, ...]) -> None:
    played = game()
    total = played.objective(player, batch(), 0, through=through).total
    for each, network in played.networks.items():
        weight = network.linear.weight if each is G else network.conv.weight
        if each in through:
            (gradient,) = torch.autograd.grad(total, weight, retain_graph=True)
            assert gradient.abs().sum() > 0
        else:
            with pytest.raises(RuntimeError):
                torch.autograd.grad(total, weight, retain_graph=True)


class ImageGradient(nn.Module):
    def forward(self, turn: Turn) -> Tensor:
        assert turn.real is not None
        (gradient,) = torch.autograd.grad(turn.real.score.logits.sum(), turn.real.image, create_graph=True)
        turn.discriminate(turn.real.image, turn.real.label)
        turn.generate(turn.latent, turn.fake.label)
        return gradient.square().sum((1, 2, 3)).mean()


@frozen
class GradientPenalty:
    players = frozenset({D})
    reads_image_gradient = True

    def build(self) -> nn.Module:
        return ImageGradient()


@examples(10)
@given(weight=st.floats(0.1, 10), every=st.integers(1, 4))
def test_a_penalty_counts_every_so_often_and_then_so_much_more(weight: float, every: int) -> None:
    term = Term("slope", GradientPenalty(), GradientPenalty().build(), Constant(weight), every)
    plain, played = game(lambda: Mixing(6)), game(lambda: Mixing(6), terms=[term])
    for turn in range(2 * every):
        base = plain.objective(D, batch(), 0, through=(D,)).total
        total, metrics = played.objective(D, batch(), 0, through=(D,))
        if turn % every == 0:
            torch.testing.assert_close(total, base + weight * every * metrics["discriminator/slope"])
        else:
            assert torch.equal(total, base)
        assert "discriminator/slope" not in played.objective(G, batch(), 0, through=(G,)).metrics
        before = snapshot(played.networks[G])
        played.backward(D, batch(), 0)
        before["counter.observed"] += 1
        assert equal(before, snapshot(played.networks[G]))
        plain.backward(D, batch(), 0)
        assert equal(snapshot(plain.networks[D]), snapshot(played.networks[D]))  # extra forwards moved no running mean


def test_extra_forwards_write_into_copies() -> None:
    network = ToyDiscriminator(lambda: Mixing(6))
    before, identities = snapshot(network), {name: id(value) for name, value in network.named_buffers()}
    with unchanged_buffers(network):
        network(batch().image, batch().label)
        assert not equal(before, snapshot(network))
    assert equal(before, snapshot(network))
    assert identities == {name: id(value) for name, value in network.named_buffers()}


def test_freezing_gives_back_only_what_it_took() -> None:
    network = nn.Linear(2, 2)
    network.bias.requires_grad_(False)
    with frozen_parameters(network):
        assert not network.weight.requires_grad
    assert network.weight.requires_grad
    assert not network.bias.requires_grad


def test_real_images_reach_a_generator_whose_loss_reads_them() -> None:
    metrics = game(loss=Plain(generator_reads_real=True)).backward(G, batch(), 0)
    assert "generator/loss" in metrics


def test_state_goes_round_and_refuses_strangers() -> None:
    played, other = game(lambda: Mixing(6)), game(lambda: Mixing(6))
    played.backward(D, batch(), 0)
    played.backward(G, batch(), 0)
    state = {name: value.clone() for name, value in played.state_dict().items()}
    other.load_state_dict(state)
    assert equal(state, other.state_dict())
    assert other.turns == played.turns == {G: 1, D: 1}
    with pytest.raises(KeyError, match="foreign"):
        other.load_state_dict(state | {"foreign.weight": torch.zeros(1)})


def test_bf16_scores_come_back_close_to_float32() -> None:
    exact, rough = game(), game(precision="bf16")
    one = exact.objective(D, batch(), 0, through=()).total
    two = rough.objective(D, batch(), 0, through=()).total
    assert two.dtype == torch.float32
    assert 0 < abs(one - two) < 0.1
