"""Heads against their equations in float64, and what the weight norm, autocast and missing classes make of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from attrs import define, field
from ganblocks_conditionings import ganblocks_conditionings
from ganblocks_conditionings.auxiliary_classifier import AuxiliaryClassifier
from ganblocks_conditionings.contrastive import Contrastive
from ganblocks_conditionings.data_to_data import DataToData
from ganblocks_conditionings.none import NoConditioning
from ganblocks_conditionings.projection import Projection
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Classes, Condition, PlacementError, Score, Site, Vector
from ganblocks.testing import examples

few = examples(20)
seeds = st.integers(0, 2**32 - 1)
CLASSES, CHANNELS = 5, 6
FIVE = Classes(CLASSES)
HEADS: dict[str, Any] = {
    "projection": Projection,
    "auxiliary_classifier": AuxiliaryClassifier,
    "contrastive": Contrastive,
    "data_to_data": DataToData,
    "none": NoConditioning,
}
WITH_TERMS = (AuxiliaryClassifier, Contrastive, DataToData)
heads = pytest.mark.parametrize("component", HEADS.values())


def head(component: Any, seed: int = 0, condition: Condition = FIVE, **facts: Any) -> nn.Module:
    """In float64, with random weights."""
    built = Site(channels=CHANNELS, condition=condition, **facts).build(component).double()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=parameter.dtype, generator=rng))
    return built


def inputs(seed: int, batch: int = 4) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed + 1)
    features = torch.randn(batch, CHANNELS, dtype=torch.float64, generator=rng)
    return features, torch.randint(CLASSES, (batch,), generator=rng)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


def logits_with(built: nn.Module, table: Tensor, features: Tensor, label: Tensor) -> Tensor:
    with torch.no_grad():
        built.embedding.weight.copy_(table)
    logits: Tensor = built(features, label).logits
    return logits


def test_the_plugin_offers_what_is_tested() -> None:
    offered = ganblocks_conditionings()
    assert {name: f"{component.__module__}:{component.__name__}" for name, component in HEADS.items()} == offered


@few
@given(seeds, st.booleans())
def test_projection_is_its_equation(seed: int, bias: bool) -> None:
    built, (features, label) = head(Projection(bias=bias), seed), inputs(seed)
    weight, table = built.linear.weight[0], built.embedding.weight
    offset = built.linear.bias[0] if bias else 0
    expected = [features[i] @ weight + offset + table[label[i]] @ features[i] for i in range(len(features))]
    score = built(features, label)
    close(score.logits, torch.stack(expected))
    assert score.features is features
    assert score.classes is None


@few
@given(seeds, st.booleans())
def test_without_conditioning_the_head_is_linear_and_deaf_to_labels(seed: int, bias: bool) -> None:
    built, (features, label) = head(NoConditioning(bias=bias), seed), inputs(seed)
    score = built(features, label)
    close(score.logits, built.linear(features)[:, 0])
    assert score.features is features
    for other in ((label + 1) % CLASSES, None):
        assert torch.equal(built(features, other).logits, score.logits)


@pytest.mark.parametrize("component", WITH_TERMS)
@few
@given(seed=seeds, bias=st.booleans())
def test_with_a_term_the_logit_is_linear_and_deaf_to_labels(component: Any, seed: int, bias: bool) -> None:
    built, (features, label) = head(component(bias=bias), seed), inputs(seed)
    score = built(features, label)
    close(score.logits, built.linear(features)[:, 0])
    assert score.features is features
    assert all(torch.equal(built(features, other).logits, score.logits) for other in ((label + 1) % CLASSES, None))


@few
@given(seeds, st.booleans())
def test_class_logits_are_linear(seed: int, bias: bool) -> None:
    built, (features, label) = head(AuxiliaryClassifier(class_bias=bias), seed), inputs(seed)
    close(built(features, label).classes, built.classes(features))


@pytest.mark.statement(70)
@few
@given(seeds)
def test_projection_is_linear_in_the_embedding(seed: int) -> None:
    built, (features, label) = head(Projection(), seed), inputs(seed)
    one, two = torch.randn(2, CLASSES, CHANNELS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    zero, first, second, both = (logits_with(built, t, features, label) for t in (0 * one, one, two, one + two))
    close(both - zero, (first - zero) + (second - zero))


@pytest.mark.statement(71)
@few
@given(seeds)
def test_two_labels_differ_by_their_embeddings_along_the_features(seed: int) -> None:
    built, (features, label) = head(Projection(), seed), inputs(seed)
    other = (label + 1) % CLASSES
    apart = built.embedding(label) - built.embedding(other)
    close(built(features, label).logits - built(features, other).logits, (apart * features).sum(1))


@pytest.mark.statement(72)
@few
@given(seeds)
def test_with_a_table_of_zeros_projection_is_no_conditioning(seed: int) -> None:
    built, plain, (features, label) = head(Projection(), seed), head(NoConditioning(), seed), inputs(seed)
    plain.linear.load_state_dict(built.linear.state_dict())
    zero = torch.zeros(CLASSES, CHANNELS, dtype=torch.float64)
    close(logits_with(built, zero, features, label), plain(features, label).logits)


@pytest.mark.statement(73)
@few
@given(seeds)
def test_sum_pooled_features_count_as_many_times_as_there_are_positions(seed: int) -> None:
    built = head(Projection(bias=False), seed)
    map_ = torch.randn(4, CHANNELS, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    label = inputs(seed)[1]
    close(built(map_.sum((2, 3)), label).logits, 16 * built(map_.mean((2, 3)), label).logits)


@pytest.mark.statement(74)
@few
@given(seeds)
def test_renaming_the_classes_changes_nothing(seed: int) -> None:
    built, (features, label) = head(Projection(), seed), inputs(seed)
    expected = built(features, label).logits
    order = torch.randperm(CLASSES, generator=torch.Generator().manual_seed(seed))
    renamed = torch.empty_like(built.embedding.weight)
    renamed[order] = built.embedding.weight
    assert torch.equal(logits_with(built, renamed, features, order[label]), expected)


@heads
def test_no_sample_sees_another(component: Any) -> None:
    built, (features, label) = head(component()), inputs(0)
    changed = features.clone()
    changed[2] += 1
    same = built(features, label).logits == built(changed, label).logits
    assert same.tolist() == [True, True, False, True]


@pytest.mark.parametrize(("channels", "classes"), [(1024, 1000), (64, 10)])
def test_parameters(channels: int, classes: int) -> None:
    def count(component: Any) -> int:
        with torch.device("meta"):
            built = Site(channels=channels, condition=Classes(classes)).build(component)
        assert all(parameter.is_meta for parameter in built.parameters())
        return sum(parameter.numel() for parameter in built.parameters())

    assert count(Projection()) == channels + 1 + classes * channels
    assert count(Projection(bias=False)) == channels + classes * channels
    assert count(NoConditioning()) == channels + 1
    assert count(NoConditioning(bias=False)) == channels
    assert count(AuxiliaryClassifier()) == (1 + classes) * (channels + 1)
    assert count(AuxiliaryClassifier(class_bias=False)) == count(Projection())
    assert count(AuxiliaryClassifier(bias=False)) == count(AuxiliaryClassifier()) - 1
    for component in (Contrastive, DataToData):
        assert count(component(embedding=32)) == channels + 1 + 32 * (channels + 1) + 32 * classes
        assert count(component(embedding=32, bias=False)) == count(component(embedding=32)) - 1


class Tripled(nn.Module):
    """A weight norm that nobody can miss."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    @property
    def weight(self) -> Tensor:
        return 3 * self.layer.weight

    @property
    def bias(self) -> Tensor | None:
        return getattr(self.layer, "bias", None)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.layer, nn.Embedding):
            return nn.functional.embedding(x, self.weight)
        return nn.functional.linear(x, self.weight, self.bias)


@define
class Triple:
    wrapped: list[str] = field(factory=list)

    def wrap(self, layer: nn.Module) -> nn.Module:
        self.wrapped.append(type(layer).__name__)
        return Tripled(layer)


@pytest.mark.parametrize(
    ("component", "layers"),
    [
        (Projection, ["Linear", "Embedding"]),
        (AuxiliaryClassifier, ["Linear", "Linear"]),
        (Contrastive, ["Linear", "Linear", "Embedding"]),
        (DataToData, ["Linear", "Linear", "Embedding"]),
        (NoConditioning, ["Linear"]),
    ],
)
def test_weights_go_through_the_weight_norm_and_the_bias_does_not(component: Any, layers: list[str]) -> None:
    norm = Triple()
    built, (features, label) = head(component(bias=False), weight_norm=norm), inputs(0)
    assert norm.wrapped == layers
    close(built(features, label).logits, 3 * head(component(bias=False))(features, label).logits)
    with_bias = head(component(), weight_norm=norm)
    offset = with_bias.linear.bias.detach()
    assert offset != 0
    without = with_bias(features, label).logits - offset
    with torch.no_grad():
        with_bias.linear.bias.zero_()
    close(with_bias(features, label).logits, without)


@heads
def test_initial_values_depend_on_seed_path_and_name_only(component: Any) -> None:
    def state(seed: int, path: str) -> dict[str, Tensor]:
        return Site(channels=CHANNELS, condition=Classes(CLASSES), seed=seed, path=path).build(component()).state_dict()

    first = state(0, "a")
    torch.rand(3)
    assert all(torch.equal(value, first[name]) for name, value in state(0, "a").items())
    assert not any(torch.equal(value, first[name]) for other in (state(1, "a"), state(0, "b")) for name, value in other.items())
    shared = state(0, "a").keys() & Site(channels=CHANNELS, path="a").build(NoConditioning()).state_dict().keys()
    assert shared == {"linear.weight", "linear.bias"}
    plain = Site(channels=CHANNELS, path="a").build(NoConditioning()).state_dict()
    named = {"linear": nn.Linear(CHANNELS, 1), "embedding": nn.Embedding(CLASSES, CHANNELS)}
    named |= {"classes": nn.Linear(CHANNELS, CLASSES), "projection": nn.Linear(CHANNELS, 512)}
    named |= {"proxies": nn.Embedding(CLASSES, 512)}
    for name in {name.split(".")[0] for name in first}:
        assert torch.equal(Site(channels=CHANNELS, path="a").layer(named[name], name).weight, first[f"{name}.weight"])
    assert all(torch.equal(plain[name], first[name]) for name in shared)


@pytest.mark.parametrize("condition", [None, Vector(3)])
def test_all_but_the_plain_head_need_classes(condition: Condition) -> None:
    for component in (Projection, *WITH_TERMS):
        with pytest.raises(PlacementError, match=r'discriminator\.head: .*class labels; use conditioning = "none"'):
            Site(channels=4, condition=condition, path="discriminator.head").build(component())
    assert isinstance(head(NoConditioning(), condition=condition)(inputs(0)[0], None), Score)


@heads
def test_logits_have_full_precision_under_autocast(component: Any) -> None:
    built, (features, label) = head(component()).float(), inputs(0)
    expected = built(features.float(), label).logits
    assert expected.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(built(features.float(), label).logits, expected)
        half = features.bfloat16()
        score = built(half, label)
    assert score.logits.dtype == torch.float32
    assert torch.equal(score.logits, built(half.float(), label).logits)
    assert built.double()(features, label).logits.dtype == torch.float64


@heads
def test_the_head_can_be_differentiated_twice(component: Any) -> None:
    built, (features, label) = head(component()), inputs(0)
    features.requires_grad_()
    (slope,) = torch.autograd.grad(built(features, label).logits.sum(), features, create_graph=True)
    weight = built.linear.weight
    (pull,) = torch.autograd.grad(slope.square().sum() / 2, weight)
    close(pull[0], slope.detach().sum(0))


def test_a_label_that_is_no_class_is_an_error() -> None:
    with pytest.raises(IndexError):
        head(Projection())(inputs(0)[0], torch.full((4,), CLASSES))


@heads
def test_bad_options_are_refused(component: Any) -> None:
    with pytest.raises(TypeError):
        component(bias="yes")
