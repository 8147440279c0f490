"""Operations per iteration: exact counts, the same on every machine, held by upper bounds.

``python -m benchmarks.counting`` names the operations.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext

import attrs
import pytest
import torch

from benchmarks.counting import Counts, counts_of, is_view, iteration_counts
from benchmarks.peak import operations
from benchmarks.products import Products
from benchmarks.workloads import WORKLOADS, Iteration, random_batch
from ganblocks.assembly import build_game
from ganblocks.game import TwoPlayerGame
from ganblocks.values import Batch, Player

BOUNDS = {
    ("S32", "fp32"): Counts(operations=1_900, not_views=830, copies=22, host_reads=2),
    ("S32", "bf16"): Counts(operations=2_120, not_views=1_050, copies=245, host_reads=2),
    ("recipes/sagan.toml", "fp32"): Counts(operations=2_080, not_views=920, copies=32, host_reads=2),
    ("recipes/sagan.toml", "bf16"): Counts(operations=2_310, not_views=1_150, copies=262, host_reads=2),
}
"""(workload, precision) -> the most that an iteration may dispatch, a few per cent above what it does.

On a CPU each turn reads one number, where this waits for nothing: whether its gradients are finite.
"""
TARGET = 1_200
"""Operations that are no views, of any of these iterations."""


@pytest.mark.parametrize(("name", "precision"), BOUNDS)
def test_an_iteration_dispatches_no_more_than_this(name: str, precision: str) -> None:
    counts, bound = iteration_counts(name, precision, toy=True), BOUNDS[name, precision]
    assert counts.operations <= bound.operations
    assert counts.not_views <= min(bound.not_views, TARGET)
    assert counts.copies <= bound.copies
    assert counts.host_reads <= bound.host_reads


def test_an_iteration_on_a_device_waits_for_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the meta device, which has no numbers, every read by the host raises."""
    monkeypatch.setattr(TwoPlayerGame, "autocast", lambda game: nullcontext())  # there is none for the meta device
    monkeypatch.setattr(sys.modules["torch.optim.optimizer"], "_get_fused_kernels_supported_devices", lambda: ["meta"])
    recipe = WORKLOADS["S32"].recipe("fp32", toy=True)
    image = recipe.data.dataset.describe()
    game = build_game(recipe, image, seed=0).to("meta")
    batches = {player: on_meta(random_batch(recipe, image, player)) for player in Player}
    updater = recipe.update.start(game)
    metrics = [updater.step(batches.__getitem__, 0) for _ in range(2)][-1]
    with pytest.raises(RuntimeError, match="meta"):
        metrics["generator/loss"].item()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_products_alone_are_all_those_of_an_iteration(precision: str) -> None:
    step = Iteration(WORKLOADS["S32"].recipe(precision, toy=True))
    step()
    products = Products.of(step)
    assert operations(products) == operations(step) > 0
    kinds = {argument.dtype for _, arguments in products.calls for argument in arguments if isinstance(argument, torch.Tensor)}
    assert kinds == ({torch.float32} if precision == "fp32" else {torch.float32, torch.bfloat16})


def on_meta(batch: Batch) -> Batch:
    return Batch(*(part.to("meta") if isinstance(part, torch.Tensor) else part for part in attrs.astuple(batch, recurse=False)))


def test_counts_are_those_of_the_operations() -> None:
    x = torch.ones(2, 3, requires_grad=True)

    def call() -> None:
        y = x.t().view(6) if x.t().is_contiguous() else x.t().reshape(6).clone()
        if bool(y.sum() > 0) and y[0].item() > 0:
            y.double().sum().backward()

    counts = counts_of(call)
    assert counts.host_reads == 2
    assert counts.copies == sum(counts.by_name.get(name, 0) for name in ("aten::clone", "aten::_to_copy", "aten::copy_"))
    assert counts.copies >= 3
    assert counts.operations > counts.not_views == sum(counts.by_name.values())
    assert "aten::t" not in counts.by_name


def test_views_are_known_by_their_schema() -> None:
    aten = torch.ops.aten
    assert all(is_view(op) for op in (aten.view.default, aten.t.default, aten.select.int, aten.detach.default))
    assert not any(is_view(op) for op in (aten.add.Tensor, aten.add_.Tensor, aten.clone.default, aten.copy_.default))
