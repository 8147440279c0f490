"""How much of the machine an iteration uses: its FLOP/s over the best that large convolutions reach in the same process."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread, alternate, repeated
from benchmarks.workloads import WORKLOADS, Iteration, main_session, session_iteration

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
SHAPES = ((32, 128, 32), (16, 256, 32), (64, 256, 16), (32, 512, 8))
"""(batch, channels, height and width) of the convolutions."""
TOY_SHAPES = ((2, 8, 8),)
ROUNDS = 5
STEPS = 8
MAIN = f"{STEPS} × recipes/sagan.toml"
"""The name of so many of its steps: a single one is too short to be timed among larger ones."""
NOTE = (
    "The peak of a round is the fastest of several large 3×3 convolutions, forward and backward, channels last. Operations are "
    "counted by torch.utils.flop_counter as they run: convolutions and matrix products, so resampling that is folded into a "
    "kernel counts less than the plain form. The ratio is the fraction of that round's peak in the same precision."
)
Rates = dict[str, list[float]]
"""What was timed -> operations per second, one number per round."""


def measure(settings: Settings) -> Result:
    """Time convolutions and iterations in turn."""
    work, peaks = iterations(settings), convolutions(settings)
    steps = {name: step for name, (step, _) in (work | peaks).items()}
    times = alternate(steps, settings.rounds(ROUNDS))
    rates = {name: [count / seconds for seconds in times[name]] for name, (_, count) in (work | peaks).items()}
    best = {precision: fastest(rates, peaks, precision) for precision in PRECISIONS}
    rows = [Row(_peak_name(precision), "GFLOP/s", Spread.of([rate / 1e9 for rate in best[precision]])) for precision in best]
    for name, (_, count) in work.items():
        precision = name.rpartition(", ")[2]
        fraction = Spread.of([rate / peak for rate, peak in zip(rates[name], best[precision], strict=True)])
        speed = Spread.of([rate / 1e9 for rate in rates[name]])
        rows.append(Row(name, "GFLOP/s", speed, fraction, _peak_name(precision), note=f"{count / 1e9:.3g} GFLOP"))
    return Result(rows, NOTE)


def _peak_name(precision: str) -> str:
    return f"convolutions, {precision}"


def fastest(rates: Rates, peaks: dict[str, tuple[Callable[[], object], int]], precision: str) -> list[float]:
    """Return the rate of the fastest convolution of each round."""
    names = [name for name in peaks if name.endswith(precision)]
    return [max(numbers) for numbers in zip(*(rates[name] for name in names), strict=True)]


def iterations(settings: Settings) -> dict[str, tuple[Callable[[], object], int]]:
    """Return name -> (one iteration, its floating-point operations)."""
    steps: dict[str, Callable[[], object]] = {}
    for precision in PRECISIONS:
        for work in WORKLOADS.values():
            steps[f"{work.name}, {precision}"] = Iteration(work.recipe(precision, settings.toy))
    steps |= {f"{MAIN}, {precision}": step for precision, step in main_steps(settings).items()}
    return {name: (step, operations(step)) for name, step in steps.items()}


def main_steps(settings: Settings) -> dict[str, Callable[[], None]]:
    """Return precision -> ``STEPS`` steps of recipes/sagan.toml as one call."""
    sessions = {precision: main_session(precision, settings.toy) for precision in PRECISIONS}
    return {precision: repeated(session_iteration(session), STEPS) for precision, session in sessions.items()}


def operations(step: Callable[[], object]) -> int:
    """Return the floating-point operations of a call: those of convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def convolutions(settings: Settings) -> dict[str, tuple[Callable[[], object], int]]:
    """Return name -> (a convolution forward and backward, its floating-point operations)."""
    shapes = TOY_SHAPES if settings.toy else SHAPES
    return {
        f"{batch}×{channels}×{size}×{size}, {precision}": convolution(batch, channels, size, dtype)
        for precision, dtype in PRECISIONS.items()
        for batch, channels, size in shapes
    }


def convolution(batch: int, channels: int, size: int, dtype: torch.dtype) -> tuple[Callable[[], object], int]:
    """Return a 3×3 convolution of [B, C, H, W] to as many channels, forward and backward, and its operations."""
    x, grad = (channels_last(torch.randn(batch, channels, size, size, dtype=dtype)) for _ in range(2))
    weight = channels_last(torch.randn(channels, channels, 3, 3, dtype=dtype))
    inputs = (x.requires_grad_(), weight.requires_grad_())

    def both() -> object:
        return torch.autograd.grad(functional.conv2d(x, weight, padding=1), inputs, grad)

    return both, operations(both)


def channels_last(x: Tensor) -> Tensor:
    """Return [B, C, H, W] channels last."""
    return x.contiguous(memory_format=torch.channels_last)
