"""The convolutions and matrix products of an iteration alone: what no other form of the same step can undercut.

They are recorded while an iteration runs, with the shapes, memory formats and types that the kernels get, and called again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.flop_counter import flop_registry

from benchmarks.peak import MAIN, PRECISIONS, main_steps
from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread, Times, alternate, ratio
from benchmarks.workloads import WORKLOADS, Iteration, Peer, PeerMissing, mimicry_version

MIMICRY = "torch-mimicry, fp32"
ROUNDS = 5
NOTE = (
    "*Products alone* are the convolutions and matrix products of the same iteration, forward and backward, called one after "
    "another by the same kernels on arguments of equal shape, memory format and type, without anything between them. Their "
    "ratio over the iteration is the share of it that they take; the rest is normalizations, activations, spectral norm, "
    "losses, optimizers and Python. Their ratio over torch-mimicry's iteration is the least that the iteration's could become "
    "with these kernels."
)


def measure(settings: Settings) -> Result:
    """Time iterations and their products in turn, workload by workload."""
    rows: list[Row] = []
    for work in WORKLOADS.values():
        sides = {precision: Iteration(work.recipe(precision, settings.toy)) for precision in PRECISIONS}
        peer: dict[str, Callable[[], object]] = {}
        try:
            peer[MIMICRY] = Peer(work, work.recipe("fp32", settings.toy))
        except PeerMissing as missing:
            rows.append(Row(f"{work.name}: {MIMICRY}", skipped=str(missing)))
        rows += workload_rows(work.name, sides, peer, settings)
    rows += workload_rows(MAIN, main_steps(settings), {}, settings)
    return Result(rows, NOTE, mimicry_version())


def workload_rows(name: str, sides: dict[str, Any], peer: dict[str, Callable[[], object]], settings: Settings) -> list[Row]:
    """Return the times of one workload's iterations and of their products."""
    functions: dict[str, Callable[[], object]] = dict(peer)
    for precision, iteration in sides.items():
        iteration()  # the first one also sets up
        functions |= {_of(precision): iteration, _alone(precision): Products.of(iteration)}
    times = alternate(functions, settings.rounds(ROUNDS))
    rows = []
    for precision in sides:
        rows.append(_row(name, times, _of(precision), MIMICRY))
        rows.append(_row(name, times, _alone(precision), _of(precision)))
        if peer:
            rows.append(attrs.evolve(_row(name, times, _alone(precision), MIMICRY), value=None))
    return rows


def _of(precision: str) -> str:
    return f"iteration, {precision}"


def _alone(precision: str) -> str:
    return f"products alone, {precision}"


def _row(name: str, times: Times, side: str, over: str) -> Row:
    compared: dict[str, Any] = {"ratio": ratio(times, side, over), "over": over} if over in times else {}
    return Row(f"{name}: {side}", "s", Spread.of(times[side]), **compared)


class Products:
    """Calls of convolutions and matrix products, which can be called again.

    Args:
        calls: operation and arguments of each, in order.
    """

    def __init__(self, calls: list[tuple[Any, Any]]) -> None:
        self.calls = calls

    @classmethod
    def of(cls, step: Callable[[], object]) -> Products:
        """Record those of a call. Calls of equal shapes share their arguments, so that little memory is kept."""
        with _Recording() as recording:
            step()
        return cls(recording.calls)

    def __call__(self) -> None:
        """Call all of them."""
        with torch.no_grad():
            for operation, arguments in self.calls:
                operation(*arguments)


class _Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records what torch counts as floating-point operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Any]] = []
        self._kept: dict[Any, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in flop_registry:
            assert not kwargs, f"{func} is called with keywords, which are not recorded"
            parts = tree_flatten(args)[0]
            key = func, tuple(_described(part) for part in parts)
            if key not in self._kept:
                self._kept[key] = tree_map_only(Tensor, lambda x: x.detach().clone(), args)
            self.calls.append((func, self._kept[key]))
        return func(*args, **(kwargs or {}))


def _described(argument: object) -> object:
    """Return what a kernel's time depends on: a tensor's shape, strides and type, or another argument's value."""
    return (tuple(argument.shape), argument.stride(), argument.dtype) if isinstance(argument, Tensor) else argument
