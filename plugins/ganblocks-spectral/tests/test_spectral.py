"""Spectral norm against singular values in float64, and against its own formulas."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from ganblocks_spectral.none import NoWeightNorm
from ganblocks_spectral.spectral import Spectral, SpectralNorm
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ganblocks import HasEstimates, PlacementError, SingularValue, Site, without_autocast
from ganblocks.testing import examples

DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]

few = examples(20)
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 12)


def linear(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def wrapped(weight: Tensor) -> SpectralNorm:
    return Spectral().wrap(linear(weight))


def random_matrix(seed: int, rows: int, columns: int) -> Tensor:
    return torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def restart(norm: SpectralNorm, u: Tensor, steps: int) -> SpectralNorm:
    norm.u.copy_(u / u.norm())
    norm.settle(steps)
    return norm


def with_spectrum(seed: int, values: list[float], columns: int) -> Tensor:
    left, _ = torch.linalg.qr(random_matrix(seed, len(values), len(values)))
    right, _ = torch.linalg.qr(random_matrix(seed + 1, columns, len(values)))
    return left @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right.T


def top(weight: Tensor) -> float:
    return float(torch.linalg.svdvals(weight.detach().double())[0])


LAYERS = {
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, padding=1), (2, 4, 7)),
    "conv2d": (lambda: nn.Conv2d(4, 6, 3, padding=1), (2, 4, 5, 7)),
    "strided": (lambda: nn.Conv2d(4, 6, 4, stride=2, padding=1, dilation=1, groups=2), (2, 4, 8, 6)),
    "same": (lambda: nn.Conv2d(4, 6, 3, padding="same", dilation=2), (2, 4, 5, 7)),
    "circular": (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular", bias=False), (2, 4, 5, 7)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 3), (2, 2, 4, 5, 6)),
    "transpose1d": (lambda: nn.ConvTranspose1d(4, 6, 4, stride=2), (2, 4, 5)),
    "transpose2d": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), (2, 4, 5, 7)),
    "transpose_groups": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=2, dilation=2), (2, 4, 5, 7)),
    "linear": (lambda: nn.Linear(5, 3), (2, 5)),
    "embedding": (lambda: nn.Embedding(6, 3, padding_idx=2, scale_grad_by_freq=True), None),
}


@pytest.fixture(params=LAYERS)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(7)
    make, shape = LAYERS[request.param]
    x = torch.tensor([2, 5, 0, 5]) if shape is None else torch.randn(shape, dtype=torch.float64)
    return make().double(), x


def test_the_call_is_the_layers_own_with_another_weight(case: tuple[nn.Module, Tensor]) -> None:
    layer, x = case
    norm = Spectral().wrap(copy.deepcopy(layer))
    expected = torch.func.functional_call(layer, {"weight": norm.weight}, x)
    assert torch.equal(norm(x), expected)
    assert not torch.allclose(expected, layer(x))
    ours, theirs = (torch.autograd.grad(output.exp().sum(), norm.layer.weight)[0] for output in (norm(x), expected))
    torch.testing.assert_close(ours, theirs)
    assert (norm.bias is None) == (getattr(layer, "bias", None) is None)
    assert norm.weight.shape == layer.weight.shape


def test_a_transposed_convolution_takes_an_output_size_and_a_subclass_keeps_its_forward() -> None:
    class Doubled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    norm = Spectral().wrap(nn.ConvTranspose2d(2, 3, 3, stride=2))
    x = torch.randn(1, 2, 4, 4)
    assert norm(x).shape[2:] == (9, 9)
    assert norm(x, output_size=[10, 10]).shape[2:] == (10, 10)
    doubled = Spectral().wrap(Doubled(4, 3))
    y = torch.randn(2, 4)
    torch.testing.assert_close(doubled(y), 2 * functional.linear(y, doubled.weight, doubled.bias))


@pytest.mark.statement(23, 24)
@few
@given(seeds, sizes, sizes)
def test_the_estimate_never_exceeds_the_largest_singular_value(seed: int, rows: int, columns: int) -> None:
    norm = wrapped(random_matrix(seed, rows, columns))
    true = top(norm.layer.weight)
    assert float(norm.sigma().detach()) <= true * (1 + 1e-12)
    assert top(norm.weight) >= 1 - 1e-10
    norm.settle(1)
    before = norm.sigma().detach()
    for _ in range(10):
        norm.advance()
        assert norm.sigma().detach() >= before - 1e-12
        before = norm.sigma().detach()


@pytest.mark.statement(23)
def test_the_estimate_after_the_warm_up_and_after_settling() -> None:
    norm = wrapped(random_matrix(3, 64, 128))
    assert top(norm.weight) <= 1.10
    norm.settle(200)
    assert 1 - 1e-10 <= top(norm.weight) <= 1.01
    gapped = wrapped(with_spectrum(5, [2.0, 1.0, 0.5, 0.1], 9))
    gapped.settle(40)
    assert top(gapped.weight) == pytest.approx(1, abs=1e-12)


@pytest.mark.statement(25)
@few
@given(seeds, st.floats(1e-3, 1e3), st.integers(1, 5))
def test_scaling_the_weight_changes_nothing_but_the_sign(seed: int, scale: float, steps: int) -> None:
    weight, u = random_matrix(seed, 5, 8), random_matrix(seed + 1, 5, 1).flatten()
    once = restart(wrapped(weight), u, steps).weight
    torch.testing.assert_close(restart(wrapped(scale * weight), u, steps).weight, once, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(restart(wrapped(-scale * weight), u, steps).weight, -once, rtol=1e-10, atol=1e-10)


@pytest.mark.statement(26)
@few
@given(seeds, st.integers(1, 5))
def test_rotating_weight_and_start_together_keeps_the_singular_values(seed: int, steps: int) -> None:
    weight, u = random_matrix(seed, 5, 8), random_matrix(seed + 1, 5, 1).flatten()
    turn, _ = torch.linalg.qr(random_matrix(seed + 2, 5, 5))
    plain = torch.linalg.svdvals(restart(wrapped(weight), u, steps).weight.detach())
    turned = torch.linalg.svdvals(restart(wrapped(turn @ weight), turn @ u, steps).weight.detach())
    torch.testing.assert_close(turned, plain, rtol=1e-10, atol=1e-10)


@pytest.mark.statement(29)
@few
@given(seeds)
def test_rank_one_and_orthogonal_weights_are_exact_in_one_iteration(seed: int) -> None:
    rank_one = random_matrix(seed, 6, 1) @ random_matrix(seed + 1, 1, 4)
    orthogonal = 3 * torch.linalg.qr(random_matrix(seed, 6, 6))[0]
    for weight in (rank_one, orthogonal):
        norm = restart(wrapped(weight), random_matrix(seed + 2, 6, 1).flatten(), 1)
        assert float(norm.sigma().detach()) == pytest.approx(top(weight), rel=1e-10)


def plain_weight(norm: SpectralNorm) -> Tensor:
    """W / (uᵀ M v) as autograd sees it, written independently for two-dimensional weights and convolutions."""
    weight = norm.layer.weight
    matrix = weight if weight.ndim == 2 else weight.movedim(1, -1).reshape(len(weight), -1)
    return weight / (norm.u @ matrix @ norm.v)


@pytest.mark.statement(28)
@few
@given(seeds, st.booleans(), st.booleans())
def test_the_gradient_is_the_formulas_and_autograds(seed: int, convolution: bool, last: bool) -> None:
    torch.manual_seed(seed)
    layer = nn.Conv2d(3, 5, 3).double() if convolution else nn.Linear(3, 5).double()
    norm = Spectral().wrap(layer)
    if last:
        norm = norm.to(memory_format=torch.channels_last)
    above = torch.randn_like(norm.layer.weight)
    (ours,) = torch.autograd.grad((norm.weight * above).sum(), norm.layer.weight)
    (autograds,) = torch.autograd.grad((plain_weight(norm) * above).sum(), norm.layer.weight)
    torch.testing.assert_close(ours, autograds, rtol=1e-10, atol=1e-10)
    outer = torch.outer(norm.u, norm.v)
    shaped = outer.unflatten(1, (3, 3, 3)).movedim(-1, 1) if convolution else outer
    formula = (above - (above * norm.weight).sum() * shaped) / norm.sigma()
    torch.testing.assert_close(ours, formula.detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.statement(27)
def test_once_converged_the_gradient_is_orthogonal_to_the_weight() -> None:
    norm = wrapped(with_spectrum(1, [2.0, 1.0, 0.5], 7))
    norm.settle(60)
    (norm.weight**3).sum().backward()
    weight, grad = norm.layer.weight.detach(), norm.layer.weight.grad
    assert grad is not None
    assert grad.norm() > 1e-3
    assert float((weight * grad).sum().abs()) <= 1e-8 * float(weight.norm() * grad.norm())


@pytest.mark.parametrize("make", [lambda: nn.Linear(3, 4), lambda: nn.Conv2d(2, 3, 2), lambda: nn.ConvTranspose2d(2, 3, 2)])
def test_second_derivatives(make) -> None:
    torch.manual_seed(0)
    norm = Spectral().wrap(make().double())

    def weight_bar(weight: Tensor) -> Tensor:
        return torch.func.functional_call(_Weight(norm), {"norm.layer.weight": weight}, ())

    start = norm.layer.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(weight_bar, (start,))
    assert torch.autograd.gradgradcheck(weight_bar, (start,))


class _Weight(nn.Module):
    def __init__(self, norm: SpectralNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self) -> Tensor:
        return self.norm.weight


@pytest.mark.statement(30, 31)
@pytest.mark.parametrize("training", [True, False])
def test_forward_changes_no_state_and_repeats_itself(case: tuple[nn.Module, Tensor], training: bool) -> None:
    layer, x = case
    norm = Spectral().wrap(layer).train(training)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    first = norm(x)
    first.square().sum().backward()
    norm.sigma()
    assert torch.equal(norm(x), first)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    assert set(before) == {"u", "v", *(f"layer.{name}" for name in layer.state_dict())}


@pytest.mark.statement(31)
@few
@given(seeds, st.integers(1, 4))
def test_advance_makes_the_iterations_it_was_told(seed: int, iterations: int) -> None:
    norm = Spectral(iterations=iterations).wrap(linear(random_matrix(seed, 4, 6)))
    norm.u.copy_(functional.normalize(random_matrix(seed + 1, 4, 1).flatten(), dim=0))
    u, matrix = norm.u.clone(), norm.layer.weight.detach()
    for _ in range(iterations):
        v = functional.normalize(matrix.T @ u, dim=0)
        u = functional.normalize(matrix @ v, dim=0)
    norm.eval().advance()
    torch.testing.assert_close(norm.u, u, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(norm.v, v, rtol=1e-12, atol=1e-12)


@pytest.mark.statement(32)
def test_a_convolution_is_its_flattened_matrix() -> None:
    conv = nn.Conv2d(3, 5, 3).double()
    norm = Spectral().wrap(conv)
    flat = wrapped(conv.weight.detach().flatten(1))
    start = random_matrix(0, 5, 1).flatten()
    restart(norm, start, 3), restart(flat, start, 3)
    torch.testing.assert_close(norm.weight.flatten(1), flat.weight, rtol=1e-10, atol=1e-10)


@pytest.mark.statement(33)
def test_a_transposed_convolution_has_its_outputs_in_dimension_one() -> None:
    norm = Spectral().wrap(nn.ConvTranspose2d(7, 3, 4).double())
    norm.settle(500)
    sigma = float(norm.sigma().detach())
    assert norm.u.shape == (3,)
    assert sigma == pytest.approx(top(norm.layer.weight.transpose(0, 1).flatten(1)), rel=1e-6)
    assert sigma != pytest.approx(top(norm.layer.weight.flatten(1)), rel=1e-2)


@pytest.mark.statement(34)
def test_an_embedding_is_its_table() -> None:
    norm = Spectral().wrap(nn.Embedding(6, 4).double())
    norm.settle(500)
    label = torch.tensor([0, 5, 5, 2])
    assert float(norm.sigma().detach()) == pytest.approx(top(norm.layer.weight), rel=1e-6)
    assert torch.equal(norm(label), norm.weight[label])
    assert norm.bias is None


@pytest.mark.parametrize("make", [lambda: nn.Conv2d(8, 8, 3), lambda: nn.ConvTranspose2d(8, 6, 3)])
def test_the_memory_format_changes_neither_sigma_nor_the_matrix_and_channels_last_needs_no_copy(make) -> None:
    norm = Spectral().wrap(make())
    last = copy.deepcopy(norm).to(memory_format=torch.channels_last)
    torch.testing.assert_close(last.sigma(), norm.sigma())
    assert last.weight.is_contiguous(memory_format=torch.channels_last)
    matrix = last.layer.weight.permute(last._order).flatten(1)
    assert matrix.data_ptr() == last.layer.weight.data_ptr()


@pytest.mark.statement(35)
def test_the_bias_is_the_layers_own() -> None:
    norm = Spectral().wrap(nn.Linear(3, 2))
    assert norm.bias is norm.layer.bias
    x = torch.zeros(1, 3)
    torch.testing.assert_close(norm(x)[0], norm.layer.bias)


@pytest.mark.statement(36)
def test_the_state_survives_a_file_and_a_copy() -> None:
    source = nn.Sequential(Spectral().wrap(nn.Conv2d(3, 4, 3)), Spectral().wrap(nn.Conv2d(4, 2, 1)))
    target = nn.Sequential(Spectral().wrap(nn.Conv2d(3, 4, 3)), Spectral().wrap(nn.Conv2d(4, 2, 1)))
    x = torch.randn(2, 3, 5, 5)
    target.load_state_dict(load(save(source.state_dict())))
    assert torch.equal(target.eval()(x), source(x))
    source(x).sum().backward()
    copied = copy.deepcopy(source)
    assert torch.equal(copied(x), source(x))
    copied[0].advance()
    assert torch.equal(source[0].u, target[0].u)


@pytest.mark.statement(36)
def test_a_folded_weight_gives_the_same_outputs_without_the_wrapper() -> None:
    norm = Spectral().wrap(nn.Conv2d(3, 4, 3, padding=1))
    x = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(functional.conv2d(x, norm.weight, norm.bias, padding=1), norm(x))


@pytest.mark.statement(37)
@pytest.mark.parametrize("layer", [nn.BatchNorm2d(4), nn.ReLU(), nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 2)])
def test_layers_that_cannot_be_normalised_are_refused(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear):
        nn.init.zeros_(layer.weight)
    with pytest.raises(PlacementError, match=f"{type(layer).__name__}: spectral norm"):
        Spectral().wrap(layer)


def test_wrapping_twice_is_refused() -> None:
    with pytest.raises(PlacementError, match="already spectrally normalised"):
        Spectral().wrap(Spectral().wrap(nn.Linear(2, 2)))


@pytest.mark.parametrize("options", [{"iterations": 0}, {"iterations": 1.5}, {"eps": 0.0}, {"eps": "small"}])
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        Spectral(**options)


@pytest.mark.statement(38, 39)
def test_averaged_parameters_are_safe_with_copied_buffers_and_settling() -> None:
    torch.manual_seed(0)
    live = Spectral().wrap(nn.Conv2d(8, 16, 3))
    average = copy.deepcopy(live)
    optimizer = torch.optim.SGD(live.parameters(), lr=0.5)
    x = torch.randn(4, 8, 6, 6)
    for _ in range(60):
        live.advance()
        optimizer.zero_grad()
        live(x).square().mean().neg().backward()
        optimizer.step()
        with torch.no_grad():
            average.layer.weight.lerp_(live.layer.weight, 0.05)
            average.u.copy_(live.u), average.v.copy_(live.v)
    stale = top(average.weight.flatten(1))
    average.settle(20)
    assert top(average.weight.flatten(1)) <= min(1.01, stale)
    for buffer in (average.u, average.v, live.u, live.v):
        assert float(buffer.norm()) == pytest.approx(1, abs=1e-6)


@pytest.mark.statement(40)
@few
@given(seeds, st.sampled_from(["zeros", "circular"]))
def test_the_convolutions_norm_is_bounded_by_the_kernels_side(seed: int, padding: str) -> None:
    torch.manual_seed(seed)
    norm = Spectral().wrap(nn.Conv2d(4, 4, 3, padding=1, padding_mode=padding, bias=False).double())
    norm.settle(200)
    x = torch.randn(1, 4, 8, 8, dtype=torch.float64)
    assert norm(x).norm() <= 3 * x.norm() * (1 + 1e-3)


@pytest.mark.statement(40)
def test_the_convolutions_norm_may_exceed_one() -> None:
    norm = Spectral().wrap(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", bias=False))
    with torch.no_grad():
        norm.layer.weight.fill_(1.0)
    norm.settle()
    x = torch.ones(1, 1, 8, 8)
    assert float((norm(x).norm() / x.norm()).detach()) == pytest.approx(3, rel=1e-5)


@pytest.mark.statement(41)
def test_checkpointing_recomputes_the_same_weight_and_gradient() -> None:
    norm = Spectral().wrap(nn.Conv2d(3, 4, 3))
    x = torch.randn(2, 3, 6, 6)
    before = norm.u.clone()
    norm(x).square().sum().backward()
    plain = norm.layer.weight.grad.clone()
    norm.zero_grad()
    checkpoint(norm, x, use_reentrant=False).square().sum().backward()
    assert torch.equal(norm.layer.weight.grad, plain)
    assert torch.equal(norm.u, before)


@pytest.mark.parametrize("device", DEVICES)  # autocast halves the precision of matrix-vector products on CUDA only
def test_under_autocast_sigma_and_the_iterations_stay_in_float32(device: str) -> None:
    norm = Spectral().wrap(nn.Conv2d(16, 32, 3).to(device))
    twin = copy.deepcopy(norm)
    x = torch.randn(2, 16, 6, 6, device=device)
    with torch.autocast(device, dtype=torch.bfloat16):
        assert norm(x).dtype == torch.bfloat16
        assert torch.equal(norm.sigma(), twin.sigma())
        assert norm.weight.dtype == torch.float32
        norm.settle(3)
        (inside,) = torch.autograd.grad(norm.weight.square().sum(), norm.layer.weight)
    twin.settle(3)
    (outside,) = torch.autograd.grad(twin.weight.square().sum(), twin.layer.weight)
    assert torch.equal(norm.u, twin.u)
    assert torch.equal(inside, outside)


def test_matrix_products_are_full_precision_where_it_is_asked_for() -> None:
    x = torch.randn(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        with without_autocast(x):
            assert (x @ x).dtype == torch.float32


def test_a_layer_in_half_precision_keeps_float32_vectors() -> None:
    norm = Spectral().wrap(nn.Linear(8, 4).bfloat16())
    assert norm.u.dtype == norm.v.dtype == norm.sigma().dtype == torch.float32
    assert norm.weight.dtype == torch.bfloat16
    norm(torch.randn(2, 8, dtype=torch.bfloat16)).float().sum().backward()
    assert norm.layer.weight.grad.dtype == torch.bfloat16


def test_it_builds_and_runs_on_meta() -> None:
    with torch.device("meta"):
        norm = Site(channels=4, weight_norm=Spectral()).layer(nn.Conv2d(4, 6, 3), "conv")
        assert norm(torch.empty(2, 4, 8, 8)).shape == (2, 6, 6, 6)
        norm.advance()
    assert all(tensor.is_meta for tensor in norm.state_dict().values())


def test_a_site_decides_every_initial_value() -> None:
    def state(name: str) -> dict[str, Tensor]:
        torch.manual_seed(int(torch.randint(1000, ())))
        return Site(channels=3, weight_norm=Spectral(), seed=3).layer(nn.Conv2d(3, 5, 3), name).state_dict()

    first, again, other = state("a"), state("a"), state("b")
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["u"], other["u"])


def test_a_frozen_layer_passes_gradients_to_its_input_only() -> None:
    norm = Spectral().wrap(nn.Linear(3, 2)).requires_grad_(False)
    x = torch.randn(4, 3, requires_grad=True)
    norm(x).sum().backward()
    torch.testing.assert_close(x.grad, norm.weight.sum(0).expand(4, 3))
    assert norm.layer.weight.grad is None


def test_its_capabilities_are_inherited_and_none_wraps_nothing() -> None:
    norm = Spectral().wrap(nn.Linear(3, 2))
    assert isinstance(norm, HasEstimates)
    assert isinstance(norm, SingularValue)
    assert math.isfinite(float(norm.sigma().detach()))
    layer = nn.Linear(2, 2)
    assert NoWeightNorm().wrap(layer) is layer


def test_u_and_v_are_buffers_which_no_optimizer_and_no_average_moves() -> None:
    norm = Spectral().wrap(nn.Linear(4, 3))
    assert set(dict(norm.named_parameters())) == {"layer.weight", "layer.bias"}
    assert set(dict(norm.named_buffers())) == {"u", "v"}
