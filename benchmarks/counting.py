"""How many operations a call dispatches. Counts are exact and the same on every machine, so that tests hold them.

``python -m benchmarks.counting`` prints those of an iteration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.workloads import WORKLOADS, Iteration, main_session, session_iteration

COPIES = ("aten::_to_copy", "aten::copy_", "aten::clone")
HOST_READS = ("aten::_local_scalar_dense",)
"""What ``item()``, ``bool()`` and ``float()`` of a tensor dispatch: the host waits for the device."""
LISTED = 25


@frozen
class Counts:
    """What a call dispatched."""

    operations: int
    not_views: int
    copies: int
    host_reads: int
    by_name: Mapping[str, int] = field(factory=dict, eq=False, repr=False)
    """Operations that are no views, most frequent first."""


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operations by name, views apart."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.views: Counter[str] = Counter()
        self.others: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        (self.views if is_view(func) else self.others)[func._schema.name] += 1
        return func(*args, **(kwargs or {}))


def is_view(operation: Any) -> bool:
    """Return whether an operation returns a view of an argument, by its schema; such an operation computes nothing."""
    returned = [part.alias_info for part in operation._schema.returns]
    return any(alias is not None and not alias.is_write for alias in returned) or operation._schema.name == "aten::_unsafe_view"


def counts_of(call: Callable[[], object]) -> Counts:
    """Return what one call dispatches, its backward passes included."""
    with _Counting() as counted:
        call()
    others = counted.others
    return Counts(
        operations=counted.views.total() + others.total(),
        not_views=others.total(),
        copies=sum(others[name] for name in COPIES),
        host_reads=sum(others[name] for name in HOST_READS),
        by_name=dict(others.most_common()),
    )


def iteration_counts(name: str, precision: str, toy: bool = False) -> Counts:
    """Return the counts of the second iteration of a workload or of ``"recipes/sagan.toml"``: the first one also sets up."""
    if name in WORKLOADS:
        step: Callable[[], object] = Iteration(WORKLOADS[name].recipe(precision, toy))
    else:
        step = session_iteration(main_session(precision, toy))
    step()
    return counts_of(step)


def main() -> None:
    """Print the counts of two iterations, and their most frequent operations."""
    for name in ("S32", "recipes/sagan.toml"):
        for precision in ("fp32", "bf16"):
            counts = iteration_counts(name, precision, toy=True)
            print(name, precision, counts)
            print("   ", ", ".join(f"{key} {count}" for key, count in list(counts.by_name.items())[:LISTED]))


if __name__ == "__main__":
    main()
