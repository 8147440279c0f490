"""The condition number against closed forms of linear generators, finite differences, and torch's own Jacobian."""

from __future__ import annotations

import math

import pytest
import torch
from ganblocks_jacobian.condition import JacobianCondition, jacobian, log_condition
from ganblocks_resnet.generator import ResnetGenerator
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import ganblocks
from ganblocks import Classes, DataError, ImageSpec, Player, Site
from ganblocks.testing import examples

few = examples(25)
seeds = st.integers(0, 2**16)
FLOOR = 1e-12


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def examined(matrix: Tensor, seed: int = 0, floor: float = FLOOR) -> dict[str, float]:
    """What the metric says of G(z) = A z."""

    def generate(z: Tensor, label: Tensor | None) -> Tensor:
        return (z @ matrix.T)[:, None, None]

    return JacobianCondition(latents=3, floor=floor).examine(generate, random(seed, 4, matrix.shape[1]), None, seed)


@pytest.mark.statement(86)
@few
@given(seeds, st.floats(1e-3, 1e3))
def test_of_a_linear_generator_it_is_the_squared_ratio_of_singular_values_at_any_scale(seed: int, scale: float) -> None:
    matrix = random(seed, 9, 5)
    s = torch.linalg.svdvals(matrix)
    wanted = 2 * math.log(s[0] / s[-1])
    for each in (matrix, scale * matrix):
        found = examined(each, seed)
        assert math.isclose(found["log_condition"], wanted, rel_tol=1e-8, abs_tol=1e-10)
        assert found["log_condition_std"] < 1e-8


@pytest.mark.statement(86)
@few
@given(seeds)
def test_an_isometry_is_perfectly_conditioned(seed: int) -> None:
    assert abs(examined(torch.linalg.qr(random(seed, 9, 5)).Q)["log_condition"]) < 1e-9


@pytest.mark.parametrize(
    "matrix",
    [torch.zeros(9, 5, dtype=torch.float64), torch.ones(9, 5, dtype=torch.float64), torch.eye(3, 5, dtype=torch.float64)],
    ids=["stands still", "one direction", "fewer pixels than latents"],
)
def test_a_collapsed_direction_counts_as_the_floor(matrix: Tensor) -> None:
    assert examined(matrix, floor=1e-6)["log_condition"] == pytest.approx(math.log(1e6))


@few
@given(seeds, st.integers(2, 6), st.integers(2, 6))
def test_it_is_that_of_the_metric_tensor(seed: int, rows: int, columns: int) -> None:
    matrix = random(seed, rows, columns)
    lam = torch.linalg.eigvalsh(matrix.T @ matrix)
    share = max(float(lam[0] / lam[-1]), 1e-9)
    assert log_condition(matrix, 1e-9) == pytest.approx(-math.log(share), rel=1e-4)


def test_the_mean_and_spread_are_over_latents() -> None:
    """G(z) = (z₁², z₂): at each z the singular values are 2|z₁| and 1."""

    def generate(z: Tensor, label: Tensor | None) -> Tensor:
        return torch.stack([z[:, 0] ** 2, z[:, 1]], 1)[:, None, None]

    latent = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.25, 0.0], [9.0, 0.0]])
    logs = torch.tensor([2 * math.log(2), 2 * math.log(4), 2 * math.log(2)], dtype=torch.float64)
    found = JacobianCondition(latents=3).examine(generate, latent, None, 0)
    assert found["log_condition"] == pytest.approx(float(logs.mean()), rel=1e-6)
    assert found["log_condition_std"] == pytest.approx(float(logs.std(correction=0)), rel=1e-6)


@pytest.mark.parametrize("name", ["resnet", "r3gan"])
@pytest.mark.parametrize("path", ["fused", "plain"])
def test_the_jacobian_of_real_networks_is_torch_s_own(name: str, path: str) -> None:
    """With attention, spectral norm and conditional batch norm; each latent with its own class; and under no_grad."""
    attention = {"use": "self_attention", "path": path, "gamma": 1.0}
    shared = {"width": 16, "latent": 4, "attention_at": [8], "weight_norm": "spectral", "attention": attention}
    image = ImageSpec(3, 16, 3)
    component = ganblocks.discover().create("generator", name, **shared)
    network = component.build(image, Site(3, 16, 3, Player.GENERATOR, "generator", Classes(3))).eval()
    z, label = torch.randn(2, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([2, 1])
    with torch.no_grad():
        found = jacobian(network, z[1], label[1])
    wanted = torch.autograd.functional.jacobian(lambda x: network(x[None], label[1:]).flatten(), z[1])
    torch.testing.assert_close(found, wanted.double(), rtol=1e-3, atol=1e-5)
    assert isinstance(component, ResnetGenerator) == (name == "resnet")


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        examined(torch.full((3, 2), torch.nan, dtype=torch.float64))


@pytest.mark.parametrize("options", [{"latents": 0}, {"floor": 0.0}, {"floor": 1.0}])
def test_options_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        JacobianCondition(**options)


def test_one_latent_has_no_spread() -> None:
    found = JacobianCondition(latents=1).examine(lambda z, label: z.view(-1, 1, 2, 2), torch.randn(3, 4), None, 0)
    assert set(found) == {"log_condition"}
