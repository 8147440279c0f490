"""BigGAN's orthogonal regularisation: its equation, its invariances, its gradient, and whose weights it reads."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from attrs import define
from ganblocks_penalties.orthogonal import Orthogonal, matrices, off_diagonal
from ganblocks_spectral.spectral import Spectral
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Player
from ganblocks.game import Term
from ganblocks.testing import examples
from ganblocks.testing.toys import toy_batches, toy_game

few = examples(20)
seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 7)
LAYERS: dict[str, Any] = {
    "linear": lambda: nn.Linear(5, 3),
    "high": lambda: nn.Linear(2, 6),
    "conv": lambda: nn.Conv2d(2, 3, 3),
    "transposed": lambda: nn.ConvTranspose2d(4, 3, 2),
}


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rotation(seed: int, n: int) -> Tensor:
    q: Tensor = torch.linalg.qr(random(seed, n, n)).Q
    return q


def reference(w: Tensor) -> Tensor:
    """The equation as it is written."""
    return (w @ w.T * (1 - torch.eye(len(w), dtype=w.dtype))).square().sum()


@pytest.mark.statement(81)
@few
@given(seeds, sides, sides)
def test_it_is_the_equation_whichever_side_is_longer(seed: int, rows: int, columns: int) -> None:
    w = random(seed, rows, columns)
    torch.testing.assert_close(off_diagonal(w), reference(w), rtol=1e-10, atol=1e-10)


@few
@given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_groups_are_the_dense_layer_whose_other_weights_are_0(
    seed: int, groups: int, inputs: int, outputs: int, transposed: bool
) -> None:
    shape = (groups * inputs, outputs) if transposed else (groups * outputs, inputs)
    layer = (nn.ConvTranspose2d if transposed else nn.Conv2d)(groups * inputs, groups * outputs, 2, groups=groups, bias=False)
    weight = random(seed, *shape, 2, 2)
    layer.weight = nn.Parameter(weight)
    own = weight.reshape(groups, -1, *weight.shape[1:])
    dense = torch.zeros(groups * outputs, groups * inputs, 2, 2, dtype=torch.float64)
    for group in range(groups):
        rows, columns = slice(group * outputs, (group + 1) * outputs), slice(group * inputs, (group + 1) * inputs)
        dense[rows, columns] = own[group].transpose(0, 1) if transposed else own[group]
    torch.testing.assert_close(sum(map(off_diagonal, matrices(layer))), reference(dense.flatten(1)))


@pytest.mark.statement(81)
@few
@given(seeds, sides, sides, st.floats(0.1, 10))
def test_rows_at_right_angles_cost_nothing_however_long_they_are(seed: int, rows: int, more: int, longest: float) -> None:
    lengths = torch.linspace(0.1, longest, rows, dtype=torch.float64)
    w = lengths[:, None] * rotation(seed, rows + more)[:rows]
    assert off_diagonal(w / lengths[:, None]) < 1e-12
    assert off_diagonal(w) < 1e-12 * longest**4
    if rows > 1:
        w[0] += w[1]
        torch.testing.assert_close(off_diagonal(w), 2 * w[1].square().sum() ** 2, rtol=1e-9, atol=0)


@pytest.mark.statement(81)
@few
@given(seeds, sides, sides, st.floats(0.1, 10))
def test_rotations_of_the_columns_leave_it_and_it_is_of_degree_4(seed: int, rows: int, columns: int, scale: float) -> None:
    w = random(seed, rows, columns)
    torch.testing.assert_close(off_diagonal(w @ rotation(seed + 1, columns)), off_diagonal(w), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(off_diagonal(scale * w), scale**4 * off_diagonal(w), rtol=1e-9, atol=1e-9)


@pytest.mark.statement(81)
@few
@given(seeds, sides, sides)
def test_biggan_s_code_adds_half_of_the_gradient(seed: int, rows: int, columns: int) -> None:
    """Its code: grad += strength * 2 * (w wᵀ * (1 - eye)) w."""
    w = random(seed, rows, columns).requires_grad_()
    (gradient,) = torch.autograd.grad(off_diagonal(w), w)
    theirs = 2 * (w @ w.T * (1 - torch.eye(rows, dtype=w.dtype))) @ w
    torch.testing.assert_close(theirs, gradient / 2, rtol=1e-9, atol=1e-9)


def test_nearly_orthogonal_rows_do_not_drown_in_rounding() -> None:
    w = rotation(0, 64)
    w[0] += 1e-3 * w[1]
    torch.testing.assert_close(off_diagonal(w.float()), reference(w).float(), rtol=1e-2, atol=0)
    assert off_diagonal(w.bfloat16()).dtype == torch.float32


@define(eq=False)
class FakeTurn:
    """As much of a turn as the penalty reads."""

    network: nn.Module
    fake: Any = None

    def __attrs_post_init__(self) -> None:
        self.fake = type("View", (), {"image": torch.zeros(1)})


def value(network: nn.Module, **options: Any) -> float:
    result: Tensor = Orthogonal(**options).build()(FakeTurn(network))  # type: ignore[arg-type]
    assert result.shape == ()
    return result.item()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("weight_norm", [None, Spectral()])
def test_a_layer_s_matrix_has_a_row_per_output_and_lies_below_the_weight_norm(name: str, weight_norm: Any) -> None:
    layer = LAYERS[name]().double()
    weight = layer.weight.detach()
    weight = weight.transpose(0, 1) if name == "transposed" else weight
    network = layer if weight_norm is None else weight_norm.wrap(layer)
    outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    assert value(nn.Sequential(network)) == pytest.approx(reference(weight.reshape(outputs, -1)).item(), rel=1e-9)


def test_weights_add_up_and_what_is_no_weight_does_not_count() -> None:
    linear, table, norm = nn.Linear(5, 3), nn.Embedding(4, 2), nn.BatchNorm2d(3)
    norm.register_parameter("gain", nn.Parameter(torch.ones(4, 3)))
    conv = nn.Conv2d(2, 3, 3)
    network = nn.ModuleList([linear, Spectral().wrap(table), norm, conv])
    expected = [reference(weight.detach().flatten(1).double()).item() for weight in (linear.weight, table.weight, conv.weight)]
    assert value(network) == pytest.approx(expected[0] + expected[2], rel=1e-5)
    assert value(network, embeddings=True) == pytest.approx(sum(expected), rel=1e-5)
    assert len(list(matrices(network))) == 2
    assert value(nn.BatchNorm2d(3)) == 0


@pytest.mark.parametrize("of", ["generator", "discriminator", "both"])
def test_in_a_real_game_it_joins_the_objectives_it_is_told(of: Any) -> None:
    component = Orthogonal(of=of)
    game = toy_game(terms=[Term("orthogonal", component, component.build())])
    for player in Player:
        metrics = game.backward(player, toy_batches()(player), 0)
        name = f"{player}/orthogonal"
        assert (name in metrics) == (of in (player, "both"))
        if name in metrics:
            weights = [matrix.detach().double() for matrix in matrices(game.networks[player])]
            assert math.isclose(metrics[name], sum(reference(w).item() for w in weights), rel_tol=1e-5)


def test_microbatches_count_it_once() -> None:
    felt = []
    for microbatch in (8, 2):
        game = toy_game(terms=[Term("orthogonal", Orthogonal(), Orthogonal().build())], microbatch=microbatch)
        felt.append(game.backward(Player.GENERATOR, toy_batches()(Player.GENERATOR), 0)["generator/orthogonal"])
    torch.testing.assert_close(*felt)


def test_bad_options_are_refused() -> None:
    for options in ({"of": "nobody"}, {"embeddings": 1}):
        with pytest.raises((ValueError, TypeError)):
            Orthogonal(**options)
