"""Consistency penalties against their equations in float64, with an augmentation that can be followed by hand."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from attrs import define, field, frozen
from ganblocks_augments.flip_translation import FlipTranslation
from ganblocks_penalties import ganblocks_penalties
from ganblocks_penalties.balanced_consistency import BalancedConsistency
from ganblocks_penalties.consistency import Consistency
from ganblocks_penalties.latent_consistency import LatentConsistency
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Player, Score, View
from ganblocks.game import Term
from ganblocks.testing import examples
from ganblocks.testing.toys import toy_batches, toy_game

few = examples(20)
seeds = st.integers(0, 2**32 - 1)
weights = st.floats(0, 20)
SHAPE = (2, 3, 3)
G, D = Player.GENERATOR, Player.DISCRIMINATOR


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=rng(seed))


@frozen(kw_only=True)
class Shaken:
    """An augmentation: image + one number for each sample."""

    differentiable: ClassVar[bool] = True

    def build(self) -> nn.Module:
        return _Shaken()


class _Shaken(nn.Module):
    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        return image + torch.rand(len(image), 1, 1, 1, generator=rng).to(image)


def critic(image: Tensor, label: Tensor) -> Tensor:
    return torch.tanh(image).sum((1, 2, 3)) * (1 + label)


def generator(latent: Tensor, label: Tensor) -> Tensor:
    return torch.sin(latent @ random(99, 5, 18)).view(-1, *SHAPE) * (1 + label[:, None, None, None])


@define(eq=False)
class FakeTurn:
    """A turn between the two functions above; labels are 0 for real images and 1 for fakes."""

    seed: int
    size: int = 4
    player: Player = D
    images_seen: int = 0
    loud: Tensor = field(factory=lambda: torch.ones((), dtype=torch.float64))
    """Factor on what the player makes: scores, or fakes."""
    augmented: list[bool] = field(factory=list)
    latent: Tensor = field(init=False)
    real: View = field(init=False)
    fake: View = field(init=False)
    rng: torch.Generator = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.rng, self.latent = rng(self.seed), random(self.seed, self.size, 5)
        zeros = torch.zeros(self.size, dtype=torch.int64)
        self.real = self.view(random(self.seed + 1, self.size, *SHAPE).requires_grad_(), zeros)
        self.fake = self.view(self.generate(self.latent, zeros + 1), zeros + 1)

    def view(self, image: Tensor, label: Tensor) -> View:
        return View(image, label, Score(self.factor(D) * critic(image, label)))

    def discriminate(self, image: Tensor, label: Tensor, augmented: bool = True) -> Score:
        self.augmented.append(augmented)
        return Score(self.factor(D) * critic(image, label))

    def generate(self, latent: Tensor, label: Tensor) -> Tensor:
        return self.factor(G) * generator(latent, label)

    def factor(self, player: Player) -> Tensor | float:
        return self.loud if player is self.player else 1.0


def by_hand(view: View, draws: torch.Generator) -> Tensor:
    """E[(D(x) - D(T(x)))²] with Shaken as T, sample by sample."""
    moves = torch.rand(len(view.image), 1, 1, 1, generator=draws).double()
    pairs = zip(view.image, moves, view.label, strict=True)
    gaps = [critic(x[None], y[None]) - critic((x + move)[None], y[None]) for x, move, y in pairs]
    return torch.stack(gaps).square().mean()


def close(value: Tensor, expected: Tensor | float) -> None:
    assert value.shape == ()
    torch.testing.assert_close(value, torch.as_tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-12)


def test_the_plugin_offers_what_is_tested() -> None:
    offered = ganblocks_penalties()
    for component in (Consistency, BalancedConsistency, LatentConsistency):
        assert f"{component.__module__}:{component.__name__}" in offered.values()
        assert component.reads_image_gradient is False


@few
@given(seeds, st.integers(1, 5))
def test_consistency_is_its_equation_on_real_images(seed: int, size: int) -> None:
    turn = FakeTurn(seed, size)
    close(Consistency(augment=Shaken()).build()(turn), by_hand(turn.real, rng(seed)))
    assert turn.augmented == [True]


@few
@given(seeds, weights, weights)
def test_balanced_consistency_is_its_equation_on_both_sides(seed: int, real: float, fake: float) -> None:
    if not (real or fake):
        return
    turn, draws = FakeTurn(seed), rng(seed)
    sides = [(weight, view) for weight, view in ((real, turn.real), (fake, turn.fake)) if weight]
    expected = sum(weight * by_hand(view, draws) for weight, view in sides)
    close(BalancedConsistency(augment=Shaken(), real=real, fake=fake).build()(turn), expected)
    assert len(turn.augmented) == len(sides)


@few
@given(seeds)
def test_without_fakes_it_is_consistency(seed: int) -> None:
    one = Consistency(augment=Shaken()).build()(FakeTurn(seed))
    close(BalancedConsistency(augment=Shaken(), real=1, fake=0).build()(FakeTurn(seed)), one)


@few
@given(seeds, st.floats(0.01, 1), weights, weights)
def test_latent_consistency_is_its_equations(seed: int, noise: float, for_d: float, for_g: float) -> None:
    module = LatentConsistency(noise=noise, discriminator=for_d, generator=for_g).build()
    turn = FakeTurn(seed)
    near = turn.latent + noise * torch.randn(4, 5, generator=rng(seed)).double()
    label = torch.ones(4, dtype=torch.int64)
    images = generator(turn.latent, label), generator(near, label)
    logits = [critic(image, label) for image in images]
    close(module(turn), for_d * (logits[0] - logits[1]).square().mean())
    close(module(FakeTurn(seed, player=G)), -for_g * (images[0] - images[1]).square().mean())


@pytest.mark.parametrize(
    ("component", "player"),
    [
        (Consistency(augment=Shaken()), D),
        (BalancedConsistency(augment=Shaken()), D),
        (LatentConsistency(), D),
        (LatentConsistency(), G),
    ],
)
@few
@given(seed=seeds)
def test_both_sides_of_a_difference_are_pulled(component: Any, player: Player, seed: int) -> None:
    """A square of differences is of degree 2 in a factor on both sides: its slope at 1 is twice its value."""
    turn = FakeTurn(seed, player=player, loud=torch.ones((), dtype=torch.float64, requires_grad=True))
    value = component.build()(turn)
    (felt,) = torch.autograd.grad(value, turn.loud)
    close(felt, 2 * value.detach())


@few
@given(seeds)
def test_an_image_feels_the_penalty_through_its_changed_copy_too(seed: int) -> None:
    """A rule may differentiate through the images, as consensus does."""
    turn = FakeTurn(seed)
    values = Consistency(augment=Shaken()).build()(turn), by_hand(turn.real, rng(seed))
    felt, expected = (torch.autograd.grad(value, turn.real.image)[0] for value in values)
    torch.testing.assert_close(felt, expected, rtol=1e-10, atol=1e-12)


def test_a_change_that_changes_nothing_costs_nothing() -> None:
    still = FlipTranslation(probability=0, translation=0)
    assert Consistency(augment=still).build()(FakeTurn(0)) == 0
    assert BalancedConsistency(augment=still).build()(FakeTurn(0)) == 0


@pytest.mark.parametrize(
    ("component", "players"),
    [
        (Consistency(augment=FlipTranslation()), {D}),
        (BalancedConsistency(augment=FlipTranslation()), {D}),
        (LatentConsistency(), {D, G}),
    ],
)
def test_in_a_real_game_it_moves_its_players_and_nobody_else(component: Any, players: set[Player]) -> None:
    batch = toy_batches()(D)
    assert component.players == players
    for player in Player:
        gradients = []
        for terms in ([], [Term("term", component, component.build())]):
            game = toy_game(terms=terms)
            metrics = game.backward(player, batch, 0)
            assert all(parameter.grad is None for parameter in game.networks[player.other].parameters())
            gradients.append([parameter.grad for parameter in game.networks[player].parameters()])
        changed = any(not torch.equal(one, two) for one, two in zip(*gradients, strict=True))
        assert changed == (player in players) == (f"{player}/term" in metrics)


def test_fakes_pull_on_the_generator_only_where_it_is_differentiated_through() -> None:
    """Consensus optimization differentiates the discriminator's objective with respect to both players."""
    component = BalancedConsistency(augment=FlipTranslation(), real=0, fake=10)
    felt = []
    for terms in ([], [Term("bcr", component, component.build())]):
        game = toy_game(terms=terms)
        total = game.objective(D, toy_batches()(D), 0, through=tuple(Player)).total
        felt += torch.autograd.grad(total, game.networks[G].to_image.weight)
    assert not torch.allclose(*felt)


def test_bad_options_are_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0 where real is 0"):
        BalancedConsistency(augment=Shaken(), real=0, fake=0)
    for options in ({"noise": 0.0}, {"noise": "0.1"}, {"discriminator": -1.0}, {"generator": -0.5}):
        with pytest.raises((ValueError, TypeError)):
            LatentConsistency(**options)
