"""What enters an objective, against sums written out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganblocks import Batch, LinearSchedule, Player, Score, Turn
from ganblocks.game import Term, TwoPlayerGame

G, D = Player.GENERATOR, Player.DISCRIMINATOR


class Maker(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.Parameter(torch.tensor([0.5, -1.0, 2.0]))

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return (z + self.classes[label][:, None]).view(-1, 1, 1, 2)


class Evaluator(nn.Module):
    """A logit that tells image and label apart."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.Parameter(torch.tensor([1.0, 3.0, -2.0]))

    def forward(self, image: Tensor, label: Tensor) -> Score:
        return Score(image.square().sum((1, 2, 3)) * self.classes[label], features=image.flatten(1))


@frozen
class Logistic:
    generator_reads_real: bool = False

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + 3 * softplus(fake).mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return softplus(-fake).mean() - (0 if real is None else real.mean())


class Doubled(nn.Module):
    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        return 2 * image


def batch() -> Batch:
    rng = torch.Generator().manual_seed(0)
    image, latent = torch.randn(4, 1, 1, 2, generator=rng), torch.randn(4, 2, generator=rng)
    return Batch(image, torch.tensor([0, 1, 2, 0]), latent, torch.tensor([2, 2, 1, 0]), seed=3)


def game(**options: Any) -> TwoPlayerGame:
    return TwoPlayerGame({G: Maker(), D: Evaluator()}, options.pop("loss", Logistic()), **options)


def logits(played: TwoPlayerGame, drawn: Batch, factor: float) -> tuple[Tensor, Tensor]:
    assert drawn.label is not None
    assert drawn.fake_label is not None
    fake = played.networks[G](drawn.latent, drawn.fake_label)
    judge = played.networks[D]
    return judge(factor * drawn.image, drawn.label).logits, judge(factor * fake, drawn.fake_label).logits


@pytest.mark.parametrize(("augment", "factor"), [(None, 1.0), (Doubled(), 2.0)])
@pytest.mark.parametrize("reads_real", [False, True])
def test_both_sides_are_scored_with_their_own_labels_through_the_augment_in_both_turns(
    augment: nn.Module | None, factor: float, reads_real: bool
) -> None:
    loss = Logistic(generator_reads_real=reads_real)
    played, drawn = game(augment=augment, loss=loss), batch()
    real, fake = logits(played, drawn, factor)
    total, metrics = played.objective(D, drawn, 0, through=())
    torch.testing.assert_close(total, loss.for_discriminator(real, fake))
    torch.testing.assert_close(metrics["discriminator/real"], real.mean())
    torch.testing.assert_close(metrics["discriminator/fake"], fake.mean())
    torch.testing.assert_close(metrics["discriminator/loss"], total)
    total, metrics = played.objective(G, drawn, 0, through=())
    torch.testing.assert_close(total, loss.for_generator(real if reads_real else None, fake))
    assert set(metrics) == {"generator/loss"}


class Size(nn.Module):
    def forward(self, turn: Turn) -> Tensor:
        return turn.fake.image.square().mean()


@frozen
class Small:
    players: frozenset[Player] = frozenset({G})
    reads_image_gradient: bool = False

    def build(self) -> nn.Module:
        return Size()


@pytest.mark.parametrize("seen", [0, 5, 50])
def test_the_weight_of_a_penalty_moves_with_the_images_seen(seen: int) -> None:
    term = Term("small", Small(), Small().build(), LinearSchedule(start=1.0, end=3.0, images=10))
    drawn, weight = batch(), 1 + 2 * min(seen / 10, 1)
    plain, (total, metrics) = game().objective(G, drawn, seen, ()).total, game(terms=[term]).objective(G, drawn, seen, ())
    torch.testing.assert_close(total, plain + weight * metrics["generator/small"])
    assert "discriminator/small" not in game(terms=[term]).objective(D, drawn, seen, ()).metrics


def test_a_turn_leaves_gradients_of_its_own_objective_and_counts_itself() -> None:
    played, drawn = game(), batch()
    for player in (D, G, D):
        weight = next(played.networks[player].parameters())
        (expected,) = torch.autograd.grad(played.objective(player, drawn, 0, (player,)).total, weight)
        played.backward(player, drawn, 0)
        torch.testing.assert_close(weight.grad, expected)
    assert played.turns == {G: 1, D: 2}
