"""The terms of heads against slow loops in float64, closed forms and finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from attrs import frozen
from ganblocks_conditionings.auxiliary_classifier import AuxiliaryClassifier
from ganblocks_conditionings.contrastive import Contrastive, contrast
from ganblocks_conditionings.data_to_data import DataToData, cross_entropy
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import normalize

from ganblocks import Classes, Player, Site, View
from ganblocks.testing import examples
from ganblocks.testing.toys import ToyDiscriminator, toy_batches, toy_game

few = examples(20)
seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 6)
weights = st.floats(0.1, 3)
temperatures = st.floats(0.1, 2)
margins = st.floats(0.05, 1)
CLASSES, CHANNELS, EMBEDDING = 3, 6, 4
SMALL: dict[Any, Any] = {AuxiliaryClassifier: {}, Contrastive: {"embedding": EMBEDDING}, DataToData: {"embedding": EMBEDDING}}
all_terms = pytest.mark.parametrize("component", SMALL)
comparing = pytest.mark.parametrize("component", [Contrastive, DataToData])


@frozen
class Taken:
    """A turn, as far as a term reads it."""

    player: Player
    real: View | None
    fake: View


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def labels(seed: int, count: int) -> Tensor:
    return torch.randint(CLASSES, (count,), generator=torch.Generator().manual_seed(seed))


def head(component: Any, seed: int = 0) -> Any:
    """In float64, with random weights."""
    built = Site(channels=CHANNELS, condition=Classes(CLASSES)).build(component).double()
    with torch.no_grad():
        for i, parameter in enumerate(built.parameters()):
            parameter.copy_(normal(seed + i, *parameter.shape))
    return built


def view(built: nn.Module, features: Tensor, label: Tensor) -> View:
    return View(features, label, built(features, label))


def turn(built: nn.Module, player: Player, seed: int = 0, count: int = 5) -> Any:
    """With as many real images as fakes, each with random features that require grad; a generator's turn reads no real ones."""
    real, fake = (view(built, normal(seed + i, count, CHANNELS).requires_grad_(), labels(seed + i, count)) for i in (100, 200))
    return Taken(player, real if player is Player.DISCRIMINATOR else None, fake)


def close(actual: Tensor | float, expected: Tensor | float) -> None:
    one, two = (float(value.detach()) if isinstance(value, Tensor) else value for value in (actual, expected))
    assert one == pytest.approx(two, rel=1e-9, abs=1e-12)


def slow_cross_entropy(class_logits: Tensor, label: Tensor) -> float:
    total = 0.0
    for row, y in zip(class_logits.tolist(), label.tolist(), strict=True):
        total += math.log(sum(math.exp(score) for score in row)) - row[y]
    return total / len(label)


def slow_contrast(f: Tensor, v: Tensor, y: Tensor, t: float) -> float:
    """Equation by equation, image by image."""
    total = 0.0
    for i in range(len(y)):
        above = below = math.exp(float(f[i] @ v[i]) / t)
        for k in range(len(y)):
            if k != i:
                likeness = math.exp(float(f[i] @ f[k]) / t)
                below += likeness
                above += likeness if y[k] == y[i] else 0.0
        total -= math.log(above / below)
    return total / len(y)


def slow_data_to_data(f: Tensor, v: Tensor, y: Tensor, t: float, m_p: float, m_n: float) -> float:
    """Equation by equation, image by image."""
    total = 0.0
    for i in range(len(y)):
        attraction = math.exp(min(float(f[i] @ v[i]) - m_p, 0.0) / t)
        repulsion = 0.0
        for j in range(len(y)):
            if y[j] != y[i]:
                repulsion += math.exp(max(float(f[i] @ f[j]) - m_n, 0.0) / t)
        total -= math.log(attraction / (attraction + repulsion))
    return total / len(y)


def embedded(built: Any, seen: View) -> tuple[Tensor, Tensor, Tensor]:
    """f, v and y, by the definitions, without gradients."""
    f = seen.score.features @ built.projection.weight.T + built.projection.bias
    v = built.proxies.weight[seen.label]
    f, v = (vector.detach() / vector.detach().square().sum(1, keepdim=True).sqrt() for vector in (f, v))
    return f, v, seen.label


@few
@given(seeds, counts, weights, st.booleans())
def test_the_classifier_s_terms_are_their_equations(seed: int, count: int, weight: float, on_fake: bool) -> None:
    built = head(AuxiliaryClassifier(weight=weight, on_fake=on_fake), seed)
    scorer, made = (turn(built, player, seed, count) for player in (Player.DISCRIMINATOR, Player.GENERATOR))
    real, fake = (slow_cross_entropy(view.score.classes, view.label) for view in (scorer.real, scorer.fake))
    close(built.term(scorer), weight * (real + (fake if on_fake else 0.0)))
    close(built.term(made), weight * fake)


@pytest.mark.statement(54)
@pytest.mark.parametrize("classes", [3, 10, 1000])
def test_the_cross_entropy_of_uniform_class_logits_is_ln_k(classes: int) -> None:
    built = Site(channels=CHANNELS, condition=Classes(classes)).build(AuxiliaryClassifier()).double()
    nn.init.zeros_(built.classes.weight)
    nn.init.constant_(built.classes.bias, 3.0)
    assert abs(built.term(turn(built, Player.GENERATOR)).item() - math.log(classes)) < 1e-12
    assert abs(built.term(turn(built, Player.DISCRIMINATOR)).item() - 2 * math.log(classes)) < 1e-12


@pytest.mark.statement(54)
@all_terms
@few
@given(seed=seeds, weight=weights)
def test_scaling_the_weight_scales_the_term(component: Any, seed: int, weight: float) -> None:
    for player in Player:
        one, scaled = (head(component(weight=factor, **SMALL[component]), seed) for factor in (1.0, weight))
        close(scaled.term(turn(scaled, player, seed)), weight * one.term(turn(one, player, seed)))


@few
@given(seeds, counts, temperatures)
def test_the_contrastive_term_is_its_equation(seed: int, count: int, temperature: float) -> None:
    built = head(Contrastive(temperature=temperature, embedding=EMBEDDING), seed)
    scorer, made = (turn(built, player, seed, count) for player in (Player.DISCRIMINATOR, Player.GENERATOR))
    close(built.term(scorer), slow_contrast(*embedded(built, scorer.real), temperature))
    close(built.term(made), slow_contrast(*embedded(built, made.fake), temperature))


@few
@given(seeds, counts, temperatures, margins, margins)
def test_the_data_to_data_term_is_its_equation(
    seed: int, count: int, temperature: float, positive: float, negative: float
) -> None:
    component = DataToData(
        weight=1.0, temperature=temperature, positive_margin=positive, negative_margin=negative, embedding=EMBEDDING
    )
    built = head(component, seed)
    scorer, made = (turn(built, player, seed, count) for player in (Player.DISCRIMINATOR, Player.GENERATOR))
    close(built.term(scorer), slow_data_to_data(*embedded(built, scorer.real), temperature, positive, negative))
    close(built.term(made), slow_data_to_data(*embedded(built, made.fake), temperature, positive, negative))


class TermOf(nn.Module):
    """forward(features, label) -> the head's term."""

    def __init__(self, head: Any, player: Player) -> None:
        super().__init__()
        self.head, self.player = head, player

    def forward(self, features: Tensor, label: Tensor) -> Tensor:
        seen = view(self.head, features, label)
        term: Tensor = self.head.term(Taken(self.player, seen if self.player is Player.DISCRIMINATOR else None, seen))
        return term


@all_terms
@pytest.mark.parametrize("player", Player)
def test_gradients_are_those_of_finite_differences(component: Any, player: Player) -> None:
    module, label = TermOf(head(component(**SMALL[component])), player), labels(1, 5)
    names, parameters = zip(*module.named_parameters(), strict=True)

    def term(features: Tensor, *values: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(module, dict(zip(names, values, strict=True)), (features, label))
        return result

    assert torch.autograd.gradcheck(term, (normal(7, 5, CHANNELS).requires_grad_(), *parameters))


@all_terms
def test_a_term_reaches_only_what_its_player_s_images_show(component: Any) -> None:
    """The discriminator of ContraGAN and ReACGAN learns classes from real images; AC-GAN's from fakes too."""
    built = head(component(**SMALL[component]))
    scorer, made = turn(built, Player.DISCRIMINATOR), turn(built, Player.GENERATOR)
    built.term(scorer).backward()
    assert scorer.real.image.grad.abs().sum() > 0
    assert (scorer.fake.image.grad is not None) == (component is AuxiliaryClassifier)
    built.term(made).backward()
    assert made.fake.image.grad.abs().sum() > 0
    assert built.linear.weight.grad is None, "the term judges classes, not sources"


def points(seed: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random f, v of length 1 and labels."""
    y = labels(seed, count)
    f, table = (normalize(normal(seed + i, n, EMBEDDING)) for i, n in ((1, count), (2, CLASSES)))
    return f, table[y], y


COMPARISONS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "contrastive": lambda f, v, y: contrast(f, v, y, temperature=0.7),
    "data_to_data": lambda f, v, y: cross_entropy(f, v, y, temperature=0.7, positive_margin=0.9, negative_margin=0.1),
}
comparisons = pytest.mark.parametrize("compare", COMPARISONS.values(), ids=list(COMPARISONS))


@comparisons
@few
@given(seed=seeds, count=counts)
def test_one_class_alone_says_nothing(compare: Any, seed: int, count: int) -> None:
    f, v, y = points(seed, count)
    f.requires_grad_()
    loss = compare(f, v[:1].expand_as(v), torch.zeros_like(y))
    assert loss.item() == 0
    (gradient,) = torch.autograd.grad(loss, f)
    assert gradient.abs().max() < 1e-15


@few
@given(seeds, st.integers(2, 6), temperatures)
def test_contrasts_of_one_point_count_the_images(seed: int, count: int, temperature: float) -> None:
    """All images and proxies at one point: ℓ_i = ln (B / images of the class)."""
    y = labels(seed, count)
    same = normalize(normal(seed, 1, EMBEDDING)).expand(count, -1)
    expected = sum(math.log(count / int((y == label).sum())) for label in y) / count
    close(contrast(same, same, y, temperature), expected)


@few
@given(seeds, st.integers(2, 6), temperatures, margins)
def test_data_to_data_of_one_point_counts_the_others(seed: int, count: int, temperature: float, negative: float) -> None:
    """All images and proxies at one point: ℓ_i = ln (1 + N_i exp((1 - m_n) / τ)), N_i images of other classes."""
    y = labels(seed, count)
    same = normalize(normal(seed, 1, EMBEDDING)).expand(count, -1)
    others = [int((y != label).sum()) for label in y]
    expected = sum(math.log(1 + n * math.exp((1 - negative) / temperature)) for n in others) / count
    close(cross_entropy(same, same, y, temperature, 0.9, negative), expected)


def test_easy_images_and_easy_pairs_have_no_gradient() -> None:
    """Images at their proxies, classes at right angles: ℓ_i = ln (1 + N_i), and nothing pulls."""
    y = torch.tensor([0, 0, 1, 2])
    v = torch.eye(EMBEDDING, dtype=torch.float64)[y]
    f = v.clone().requires_grad_()
    loss = cross_entropy(f, v, y, temperature=0.5, positive_margin=0.98, negative_margin=0.02)
    close(loss, (2 * math.log(3) + 2 * math.log(4)) / 4)
    assert torch.autograd.grad(loss, f)[0].abs().max() == 0
    f = contrasted = v.clone().requires_grad_()
    assert torch.autograd.grad(contrast(f, v, y, temperature=0.5), contrasted)[0].abs().max() > 0.01


@comparisons
@few
@given(seed=seeds)
def test_neither_order_nor_names_nor_axes_matter(compare: Any, seed: int) -> None:
    f, v, y = points(seed, 6)
    expected = compare(f, v, y)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    close(compare(f[order], v[order], y[order]), expected)
    close(compare(f, v, (y + 1) % CLASSES), expected)
    turned = torch.linalg.qr(normal(seed, EMBEDDING, EMBEDDING)).Q
    close(compare(f @ turned, v @ turned, y), expected)


@comparing
@few
@given(seed=seeds, factor=st.floats(0.01, 100))
def test_lengths_do_not_matter(component: Any, seed: int, factor: float) -> None:
    """Neither those of embeddings nor of proxies: no weight grows to lower the term."""
    built = head(component(embedding=EMBEDDING), seed)
    expected = built.term(turn(built, Player.GENERATOR, seed))
    with torch.no_grad():
        for parameter in (*built.projection.parameters(), built.proxies.weight):
            parameter.mul_(factor)
    close(built.term(turn(built, Player.GENERATOR, seed)), expected)


@all_terms
def test_terms_have_full_precision_under_autocast(component: Any) -> None:
    built = head(component(**SMALL[component])).float()
    features, label = normal(3, 5, CHANNELS).float(), labels(3, 5)

    def term() -> Tensor:
        result: Tensor = built.term(Taken(Player.GENERATOR, None, view(built, features, label)))
        return result

    expected = term()
    assert expected.dtype == torch.float32
    if component is AuxiliaryClassifier:  # the others compare in the term, which games call outside autocast
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(term(), expected)
    half = view(built, features.bfloat16(), label)
    assert built.term(Taken(Player.GENERATOR, None, half)).dtype == torch.float32


def gradient(component: Any, microbatch: int | None) -> Tensor:
    """Of everything in the head, in a toy game."""
    discriminator = ToyDiscriminator(attention=Nothing(), conditioning=component)
    game = toy_game(discriminator=discriminator, microbatch=microbatch)
    batch = toy_batches(size=8)(Player.DISCRIMINATOR)
    metrics = game.backward(Player.DISCRIMINATOR, batch, 0)
    assert metrics["discriminator/term"] > 0
    return torch.cat([parameter.grad.flatten() for parameter in game.networks[Player.DISCRIMINATOR].parameters()])


class Nothing:
    def build(self, site: Site) -> nn.Module:
        return nn.Identity()


@all_terms
def test_contrasts_are_within_a_microbatch(component: Any) -> None:
    """A cross-entropy is a mean over images, however they are split; contrasts are not."""
    whole, split = (gradient(component(**SMALL[component]), size) for size in (None, 4))
    same = torch.allclose(whole, split, rtol=1e-4, atol=1e-6)
    assert same == (component is AuxiliaryClassifier)
