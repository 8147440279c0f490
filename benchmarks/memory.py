"""Peak memory: three iterations at 128 pixels, and self-attention at 64×64 and 128×128 positions, in a process each.

As a script, ``python -m benchmarks.memory CASE THREADS TOY`` prints the peak before the work and after it, in MB. At toy size
only one case has a process of its own: what the others add to a peak means nothing.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread
from benchmarks.workloads import WORKLOADS, Iteration, Peer, PeerMissing, mimicry_version, peers, registry
from ganblocks.site import Site

MIMICRY, FP32, BF16 = "L128: torch-mimicry, fp32", "L128: ganblocks, fp32", "L128: ganblocks, bf16"
SMALL, LARGE = "self_attention, 64×64", "self_attention, 128×128"
SIDES = {SMALL: 64, LARGE: 128}
TOY_SHARE = 4
"""The sides of maps of toy size are so many times smaller."""
CHANNELS, BATCH = 128, 2
ITERATIONS = 3
LEAST = 1e-3
"""MB; at toy size nothing may be added to the peak."""
ROUNDS = 3
NOTE = (
    "Peak resident memory of a process. L128: of all of it, imports included, after three iterations. self_attention: how much "
    f"one forward and backward pass of {BATCH} maps of {CHANNELS} channels adds, without pooling; plain self-attention would "
    "need 16 times as much for 4 times the positions."
)


def measure(settings: Settings) -> Result:
    """Run each case in a new process, round by round."""
    cases, skipped = [FP32, BF16, SMALL, LARGE], ""
    try:
        peers()
        cases.insert(0, MIMICRY)
    except PeerMissing as missing:
        skipped = str(missing)
    used: dict[str, list[float]] = {case: [] for case in cases}
    for number in range(settings.rounds(ROUNDS)):
        for case in cases:
            before, after = (in_this_process if settings.toy and (number or case != FP32) else in_new_process)(case, settings)
            used[case].append(after - before if case in SIDES else after)
    rows = [_row(case, used, {FP32: MIMICRY, BF16: MIMICRY, LARGE: SMALL}.get(case, "")) for case in cases]
    return Result([*rows, *([Row(MIMICRY, skipped=skipped)] if skipped else [])], NOTE, mimicry_version())


def _row(case: str, used: dict[str, list[float]], over: str) -> Row:
    if over not in used:
        return Row(case, "MB", Spread.of(used[case]))
    ratios = [one / max(other, LEAST) for one, other in zip(used[case], used[over], strict=True)]
    return Row(case, "MB", Spread.of(used[case]), Spread.of(ratios), over)


def in_new_process(case: str, settings: Settings) -> tuple[float, float]:
    """Return the peak memory of a new process in MB, before the work of a case and after it."""
    command = [sys.executable, "-m", "benchmarks.memory", case, str(settings.threads), str(int(settings.toy))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    before, after = done.stdout.split()
    return float(before), float(after)


def peak() -> float:
    """Return the peak resident memory of this process in MB.

    Linux counts that of the parent before ``exec`` in ``ru_maxrss``, so that its own file is read where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def iterations(case: str, toy: bool) -> Callable[[], None]:
    """Return three iterations of the workload at 128 pixels."""
    work = WORKLOADS["L128"]
    recipe = work.recipe("bf16" if case == BF16 else "fp32", toy)
    step = Peer(work, recipe) if case == MIMICRY else Iteration(recipe)

    def run() -> None:
        for _ in range(ITERATIONS):
            step()

    return run


def attention(side: int) -> Callable[[], None]:
    """Return one forward and backward pass of self-attention without pooling at side × side positions."""
    component = registry().create("attention", "self_attention", pool=1, gamma=1.0)
    block = component.build(Site(channels=CHANNELS, size=side))

    def run(side: int = side) -> None:
        x = torch.randn(BATCH, CHANNELS, side, side).contiguous(memory_format=torch.channels_last).requires_grad_()
        block(x).sum().backward()

    run(8)  # what the first call of a kernel allocates is not the question
    return run


def in_this_process(case: str, settings: Settings) -> tuple[float, float]:
    """Do the work of a case, and return the peak memory of this process before it and after it."""
    share = TOY_SHARE if settings.toy else 1
    work = attention(SIDES[case] // share) if case in SIDES else iterations(case, settings.toy)
    before = peak()
    work()
    return before, peak()


def main(case: str, threads: str, toy: str) -> None:
    """Do the work of a case in this process, and print the peaks."""
    torch.set_num_threads(int(threads))
    print(*in_this_process(case, Settings(int(threads), bool(int(toy)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
