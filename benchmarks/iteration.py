"""One iteration (a D step and a G step, optimizers included) against torch-mimicry's, and against an earlier commit's."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs

from benchmarks.earlier import EarlierIteration, checked_out
from benchmarks.machine import commit
from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread, Times, alternate, ratio
from benchmarks.workloads import WORKLOADS, Iteration, Peer, PeerMissing, Workload, mimicry_version

MIMICRY, FP32, BF16, AGAIN = "torch-mimicry, fp32", "ganblocks, fp32", "ganblocks, bf16", "ganblocks, fp32, once more"
SECONDS = 60.0
"""Of one workload, about."""
NOTE = (
    "One D step and one G step, optimizers included, on the same random batch, without an average on either side. Both sides "
    "have equally many parameters, which is checked before anything is timed. torch-mimicry is driven by its own train steps, "
    "in fp32. It upsamples bilinearly and ganblocks by nearest neighbours, so part of the ratio is architecture. *Once more* "
    "is a second copy of the same networks: its ratio is the noise."
)
OURS = {FP32: "fp32", BF16: "bf16", AGAIN: "fp32"}


def measure(settings: Settings) -> Result:
    """Time every workload, in turn with torch-mimicry and with the commit that ``settings.against`` names."""
    rows: list[Row] = []
    with ExitStack() as stack:
        earlier = stack.enter_context(checked_out(settings.against)) if settings.against else None
        for work in WORKLOADS.values():
            rows += workload_rows(work, settings, earlier)
    return Result(rows, NOTE, mimicry_version())


def workload_rows(work: Workload, settings: Settings, earlier: Path | None) -> list[Row]:
    """Return the rows of one workload: the time of every side, with its ratio to another."""
    ours = {name: Iteration(work.recipe(precision, settings.toy)) for name, precision in OURS.items()}
    with ExitStack() as stack:
        then = _earlier(work, settings, earlier, stack)
        peer, skipped = _peer(work, settings)
        sizes = {name: side.parameters for name, side in peer.items()} | {name: side.parameters for name, side in then.items()}
        for name, parameters in sizes.items():
            here = ours[FP32].parameters
            assert parameters == here, f"{work.name}: {parameters} parameters in {name}, {here} here"
        times = alternate({**peer, **ours, **then}, settings.rounds(max(3, round(SECONDS / work.seconds))))
    over = {FP32: MIMICRY, BF16: MIMICRY, AGAIN: FP32}
    rows = [_row(work, times, name, over.get(name, "")) for name in times]
    rows += [attrs.evolve(_row(work, times, now, other), value=None) for now, other in zip((FP32, BF16), then, strict=False)]
    return rows + [Row(f"{work.name}: {MIMICRY}", skipped=why) for why in skipped]


def _row(work: Workload, times: Times, name: str, over: str) -> Row:
    """Return the time of a side, and its ratio to another one if that was timed."""
    ratios: dict[str, Any] = {"ratio": ratio(times, name, over), "over": over} if over in times else {}
    return Row(f"{work.name}: {name}", value=Spread.of(times[name]), **ratios)


def _peer(work: Workload, settings: Settings) -> tuple[dict[str, Peer], list[str]]:
    """Return torch-mimicry's side, and why it is missing."""
    try:
        return {MIMICRY: Peer(work, work.recipe("fp32", settings.toy))}, []
    except PeerMissing as missing:
        return {}, [str(missing)]


def _earlier(work: Workload, settings: Settings, folder: Path | None, stack: ExitStack) -> dict[str, EarlierIteration]:
    """Return the sides of the earlier commit, in fp32 and bf16."""
    if folder is None or settings.against is None:
        return {}
    name = f"ganblocks {commit(settings.against)}"
    return {
        f"{name}, {precision}": stack.enter_context(
            EarlierIteration(folder, work.name, precision, settings.threads, settings.toy)
        )
        for precision in ("fp32", "bf16")
    }
