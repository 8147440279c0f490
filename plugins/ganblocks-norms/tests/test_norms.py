"""Norm layers against torch's own and against float64 arithmetic."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from ganblocks_norms.batch import Batch
from ganblocks_norms.conditional_batch import ConditionalBatch
from ganblocks_norms.group import Group
from ganblocks_norms.instance import Instance
from ganblocks_norms.layer import Layer
from ganblocks_norms.none import NoNorm
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Classes, Condition, MixesSamples, PlacementError, Site, Vector
from ganblocks.testing import examples

few = examples(20)
seeds = st.integers(0, 2**32 - 1)
gains = st.sampled_from(["direct", "one_plus"])
CLASSES = 3


def features(seed: int, batch: int = 4, channels: int = 8, size: int = 5) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    scale = 1 + torch.arange(channels, dtype=torch.float64).view(-1, 1, 1)
    return 3 + scale * torch.randn(batch, channels, size, size, dtype=torch.float64, generator=rng)


def labels(seed: int, batch: int = 4) -> Tensor:
    return torch.randint(CLASSES, (batch,), generator=torch.Generator().manual_seed(seed))


def build(component: Any, channels: int = 8, condition: Condition = None, **facts: Any) -> nn.Module:
    return Site(channels=channels, condition=condition, **facts).build(component).double()


def random_tables(norm: nn.Module, seed: int) -> nn.Module:
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=parameter.dtype, generator=rng))
    return norm


def normalised(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    return (x - x.mean(dims, keepdim=True)) / (x.var(dims, unbiased=False, keepdim=True) + 1e-5).sqrt()


@pytest.mark.statement(63)
@few
@given(seeds, st.booleans(), st.sampled_from([0.001, 0.1, 1.0]))
def test_batch_is_torchs_batch_norm(seed: int, affine: bool, momentum: float) -> None:
    ours = build(Batch(affine=affine, momentum=momentum))
    theirs = nn.BatchNorm2d(8, affine=affine, momentum=momentum).double()
    theirs.load_state_dict(random_tables(ours, seed).state_dict())
    for step in range(3):
        x = features(seed + step)
        assert torch.equal(ours(x, labels(seed)), theirs(x))
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    assert torch.equal(ours.running_var, theirs.running_var)


@pytest.mark.statement(60, 62, 63)
@few
@given(seeds, gains, st.booleans(), st.sampled_from([0.001, 0.1, 1.0]))
def test_conditional_batch_is_its_equation(seed: int, gain: Any, training: bool, momentum: float) -> None:
    norm = random_tables(build(ConditionalBatch(gain=gain, momentum=momentum), condition=Classes(CLASSES)), seed)
    norm.running_mean.copy_(torch.arange(8)), norm.running_var.copy_(1 + torch.arange(8))
    x, y = features(seed), labels(seed)
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
    if training:
        expected = normalised(x, (0, 2, 3))
        new_mean = (1 - momentum) * norm.running_mean + momentum * mean
        new_var = (1 - momentum) * norm.running_var + momentum * var
    else:
        new_mean, new_var = norm.running_mean.clone(), norm.running_var.clone()
        expected = (x - new_mean.view(-1, 1, 1)) / (new_var.view(-1, 1, 1) + 1e-5).sqrt()
    scale = norm.gain[y] + (gain == "one_plus")
    expected = scale[:, :, None, None] * expected + norm.bias[y][:, :, None, None]
    torch.testing.assert_close(norm.train(training)(x, y), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(norm.running_mean, new_mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(norm.running_var, new_var, rtol=1e-12, atol=1e-12)
    assert set(norm.state_dict()) == {"gain", "bias", "running_mean", "running_var"}


@pytest.mark.statement(59)
@few
@given(seeds, st.booleans())
def test_with_equal_rows_conditional_batch_is_batch(seed: int, training: bool) -> None:
    plain = random_tables(build(Batch()), seed).train(training)
    norm = build(ConditionalBatch(), condition=Classes(CLASSES)).train(training)
    with torch.no_grad():
        norm.gain.copy_(plain.weight.expand(CLASSES, 8)), norm.bias.copy_(plain.bias.expand(CLASSES, 8))
    x, y = features(seed), labels(seed)
    torch.testing.assert_close(norm(x, y), plain(x), rtol=1e-12, atol=1e-12)


@pytest.mark.statement(60)
@pytest.mark.parametrize("gain", ["direct", "one_plus"])
def test_at_first_conditional_batch_only_normalises_whatever_the_weight_norm(gain: Any) -> None:
    class Refuses:
        def wrap(self, layer: nn.Module) -> nn.Module:
            raise AssertionError("class tables are not normalised")

    norm = build(ConditionalBatch(gain=gain), condition=Classes(CLASSES), weight_norm=Refuses())
    x = features(0)
    y = norm(x, labels(0))
    torch.testing.assert_close(y, normalised(x, (0, 2, 3)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(8).double(), atol=1e-12, rtol=0)
    var = x.var((0, 2, 3), unbiased=False)
    torch.testing.assert_close(y.var((0, 2, 3), unbiased=False), var / (var + 1e-5), atol=1e-12, rtol=0)


@pytest.mark.statement(61)
@few
@given(seeds, st.integers(0, 3))
def test_another_label_changes_its_own_sample_only(seed: int, sample: int) -> None:
    norm = random_tables(build(ConditionalBatch(), condition=Classes(CLASSES)), seed)
    x, y = features(seed), labels(seed)
    other = y.clone()
    other[sample] = (y[sample] + 1) % CLASSES
    before, after = norm(x, y), norm(x, other)
    rest = torch.arange(4) != sample
    assert torch.equal(before[rest], after[rest])
    assert not torch.equal(before[sample], after[sample])


@pytest.mark.statement(74)
@few
@given(seeds)
def test_renaming_the_classes_changes_nothing(seed: int) -> None:
    norm = random_tables(build(ConditionalBatch(), condition=Classes(CLASSES)), seed)
    renamed = copy.deepcopy(norm)
    order = torch.randperm(CLASSES, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        renamed.gain[order], renamed.bias[order] = norm.gain.clone(), norm.bias.clone()
    x, y = features(seed), labels(seed)
    assert torch.equal(norm(x, y), renamed(x, order[y]))


@few
@given(seeds)
def test_a_vector_gives_gain_and_bias_by_linear_maps(seed: int) -> None:
    norm = random_tables(build(ConditionalBatch(gain="one_plus"), condition=Vector(5)), seed)
    x, c = features(seed), torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    scale, shift = 1 + c @ norm.gain.weight.T, c @ norm.bias.weight.T
    expected = scale[:, :, None, None] * normalised(x, (0, 2, 3)) + shift[:, :, None, None]
    torch.testing.assert_close(norm(x, c), expected, rtol=1e-12, atol=1e-12)
    assert set(norm.state_dict()) == {"gain.weight", "bias.weight", "running_mean", "running_var"}


def test_the_vectors_maps_go_through_the_weight_norm() -> None:
    class Records:
        def __init__(self) -> None:
            self.layers: list[nn.Module] = []

        def wrap(self, layer: nn.Module) -> nn.Module:
            self.layers.append(layer)
            return layer

    records = Records()
    build(ConditionalBatch(gain="one_plus"), condition=Vector(5), weight_norm=records)
    assert [tuple(layer.weight.shape) for layer in records.layers] == [(8, 5), (8, 5)]


@pytest.mark.parametrize(("condition", "gain"), [(Classes(CLASSES), "direct"), (Vector(5), "one_plus")])
def test_a_gain_of_which_nothing_is_said_follows_the_condition(condition: Condition, gain: Any) -> None:
    x = features(0)
    given = labels(0) if isinstance(condition, Classes) else x[:, :5, 0, 0]
    plain, named = (
        random_tables(build(ConditionalBatch(**options), condition=condition), 0) for options in ({}, {"gain": gain})
    )
    assert torch.equal(plain(x, given), named(x, given))
    fresh = build(ConditionalBatch(), condition=condition).state_dict()
    assert all(
        torch.equal(value, fresh[name])
        for name, value in build(ConditionalBatch(gain=gain), condition=condition).state_dict().items()
    )


def test_misfits_say_what_to_write_instead() -> None:
    with pytest.raises(PlacementError, match='use norm = "batch"'):
        build(ConditionalBatch())
    with pytest.raises(PlacementError, match='use gain = "one_plus"'):
        build(ConditionalBatch(gain="direct"), condition=Vector(5))
    with pytest.raises(PlacementError, match="8 groups do not divide 12 channels; use groups = 4"):
        build(Group(), channels=12)
    with pytest.raises(PlacementError, match="its own mean"):
        build(Instance(), size=1)
    build(Layer(), size=1)


DIMS = {"instance": (Instance(), (2, 3)), "layer": (Layer(), (1, 2, 3))}


@few
@given(seeds, st.sampled_from(sorted(DIMS)))
def test_instance_and_layer_are_their_equations(seed: int, name: str) -> None:
    component, dims = DIMS[name]
    norm = random_tables(build(component), seed)
    x = features(seed, batch=2)
    expected = norm.gain.view(-1, 1, 1) * normalised(x, dims) + norm.bias.view(-1, 1, 1)
    torch.testing.assert_close(norm(x), expected, rtol=1e-12, atol=1e-12)
    assert norm.gain.shape == norm.bias.shape == (8,)


@few
@given(seeds, st.sampled_from([1, 2, 4, 8]))
def test_group_is_its_equation(seed: int, groups: int) -> None:
    norm = random_tables(build(Group(groups=groups)), seed)
    x = features(seed, batch=2)
    grouped = normalised(x.unflatten(1, (groups, -1)), (2, 3, 4)).flatten(1, 2)
    torch.testing.assert_close(norm(x), norm.gain.view(-1, 1, 1) * grouped + norm.bias.view(-1, 1, 1), rtol=1e-12, atol=1e-12)


ALL = {
    "batch": (Batch(), None),
    "classes": (ConditionalBatch(), Classes(CLASSES)),
    "vector": (ConditionalBatch(gain="one_plus"), Vector(5)),
    "instance": (Instance(), Classes(CLASSES)),
    "layer": (Layer(), Vector(5)),
    "group": (Group(), Classes(CLASSES)),
    "none": (NoNorm(), Classes(CLASSES)),
}


def conditions(condition: Condition, dtype: torch.dtype = torch.float64) -> Tensor | None:
    if condition is None:
        return None
    return torch.linspace(-1, 1, 20, dtype=dtype).view(4, 5) if isinstance(condition, Vector) else labels(0)


@pytest.mark.parametrize("name", ALL)
def test_only_batch_statistics_mix_samples(name: str) -> None:
    component, condition = ALL[name]
    norm = build(component, condition=condition)
    x, c = features(0), conditions(condition)
    changed = torch.cat([x[:3], 5 + x[3:]])
    mixes = not torch.allclose(norm(x, c)[:3], norm(changed, c)[:3], rtol=1e-9)
    assert mixes == isinstance(norm, MixesSamples) == (name in {"batch", "classes", "vector"})
    norm.eval()
    torch.testing.assert_close(norm(x, c)[:3], norm(changed, c)[:3])


@pytest.mark.parametrize("name", ALL)
def test_evaluation_changes_no_state_and_takes_a_single_sample(name: str) -> None:
    component, condition = ALL[name]
    norm = build(component, condition=condition).eval()
    x, c = features(0, batch=1), conditions(condition)
    before = copy.deepcopy(norm.state_dict())
    first = norm(x, None if c is None else c[:1])
    assert first.shape == x.shape
    assert torch.equal(norm(x, None if c is None else c[:1]), first)
    assert all(torch.equal(value, before[key]) for key, value in norm.state_dict().items())


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("training", [True, False])
def test_half_precision_and_channels_last_are_kept_and_close_to_float64(name: str, training: bool) -> None:
    component, condition = ALL[name]
    norm = random_tables(build(component, condition=condition), 0).train(training)
    exact = norm(features(1), conditions(condition))
    half = copy.deepcopy(norm).float()
    x = features(1).bfloat16().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = half(x, conditions(condition, torch.float32))
    assert y.dtype == torch.bfloat16
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y.double(), exact, rtol=0.03, atol=0.03 * float(exact.detach().abs().max()))


@pytest.mark.parametrize("name", ALL)
def test_gradients_to_the_second_order(name: str) -> None:
    component, condition = ALL[name]
    norm = random_tables(build(component, 2, condition, size=2), 0) if name != "group" else build(Group(groups=2), 2)
    x = features(0, batch=4, channels=2, size=2).requires_grad_()
    c = conditions(condition)
    assert torch.autograd.gradcheck(lambda x: norm(x, c), (x,))
    assert torch.autograd.gradgradcheck(lambda x: norm(x, c), (x,))


@pytest.mark.parametrize("name", ALL)
def test_it_builds_and_runs_on_meta(name: str) -> None:
    component, condition = ALL[name]
    with torch.device("meta"):
        norm = Site(channels=8, condition=condition).build(component)
        c = conditions(condition, torch.float32)
        assert norm(torch.empty(4, 8, 6, 6), None if c is None else c.to("meta")).shape == (4, 8, 6, 6)
    assert all(tensor.is_meta for tensor in norm.state_dict().values())


@pytest.mark.parametrize(
    ("component", "options"),
    [
        (Batch, {"momentum": 0.0}),
        (Batch, {"momentum": 1.5}),
        (Batch, {"eps": 0.0}),
        (Batch, {"affine": 1}),
        (ConditionalBatch, {"gain": "twice"}),
        (ConditionalBatch, {"momentum": None}),
        (Group, {"groups": 0}),
        (Instance, {"eps": -1.0}),
        (Layer, {"eps": "small"}),
    ],
)
def test_options_out_of_range_are_refused(component: Any, options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        component(**options)


def test_the_identity_is_the_identity() -> None:
    x = features(0)
    assert build(NoNorm())(x, labels(0)) is x


@few
@given(seeds, gains, st.booleans())
def test_a_mixture_of_classes_has_the_mean_of_their_gains_and_biases(seed: int, gain: Any, training: bool) -> None:
    norm = random_tables(build(ConditionalBatch(gain=gain), condition=Classes(CLASSES)), seed).train(training)
    x, y = features(seed), labels(seed)
    hard = norm(x, y)
    assert torch.equal(norm(x, torch.eye(CLASSES)[y]), hard), "a weight of 1 is the class itself"
    other = norm(x, (y + 1) % CLASSES)
    between = norm(x, 0.25 * torch.eye(CLASSES)[y] + 0.75 * torch.eye(CLASSES)[(y + 1) % CLASSES])
    torch.testing.assert_close(between, 0.25 * hard + 0.75 * other)
