"""What components promise, as checks that can fail: the list that ``checks/`` fills, kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from attrs import frozen
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from ganblocks.kinds import KINDS
from ganblocks.registry import Registry

Cases = Callable[[type, Registry, Sequence[Any]], SearchStrategy[Any]]
"""(component class, registry, components to use instead of drawn ones) -> a component, and where and on what it is tried."""
Check = Callable[[Any], None]
"""Takes a case; raises BrokenPromise, or whatever the component raises."""


class BrokenPromise(AssertionError):
    """A component does not do what its kind promises; says what was seen instead."""


class NotChecked(Exception):
    """A promise that could not be tried here: why, and with what."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


class Inapplicable(Exception):
    """A promise that says nothing about this example; where it says nothing about any, it is not checked, for this reason."""


@frozen
class Promise:
    """One property of every component of a kind."""

    name: str
    words: str
    """The promise as a sentence, for people."""
    check: Check
    cases: Cases | None = None
    """Where to try it; None: where the kind's components are tried."""
    examples: int = 10
    """How many examples to try at hypothesis' default profile; a deeper profile has proportionally more."""
    shrinks: bool = True
    """Whether to look for the smallest example that breaks it."""


PROMISES: dict[str, list[Promise]] = {kind: [] for kind in KINDS}
"""Kind -> its promises, in the order in which they are tried."""
CASES: dict[str, Cases] = {}
"""Kind -> how its components are tried."""


def promise(*kinds: str, cases: Cases | None = None, examples: int = 10, shrinks: bool = True) -> Callable[[Check], Check]:
    """Make a function a promise of ``kinds`` (of all, where none is named). Its docstring says it in one sentence."""

    def register(check: Check) -> Check:
        words = " ".join((check.__doc__ or "").split())
        for kind in kinds or KINDS:
            PROMISES[kind].append(Promise(check.__name__, words, check, cases, examples, shrinks))
        return check

    return register


def tried_with(kind: str) -> Callable[[Cases], Cases]:
    """Make a function the way in which components of ``kind`` are tried."""

    def register(cases: Cases) -> Cases:
        CASES[kind] = cases
        return cases

    return register


def broken(found: str) -> NoReturn:
    raise BrokenPromise(found)


def expect(holds: object, found: str) -> None:
    """Raise BrokenPromise with what was ``found``, unless it holds."""
    if not holds:
        broken(found)


MEETING = " (inherit ganblocks.CouplesSamples if samples are meant to meet)"
"""The fix where samples of a batch meet in a value without a word."""


def only_if(applies: object, reason: str) -> None:
    """Go on with the check only if it says something about this example."""
    if not applies:
        raise Inapplicable(reason)


def expect_same(actual: Tensor, wanted: Tensor, what: str) -> None:
    """Bit for bit (a NaN equals itself)."""
    expect_shape(actual, wanted.shape, what)
    expect(actual.dtype == wanted.dtype, f"{what}: {actual.dtype}, not {wanted.dtype}")
    same = actual.eq(wanted) | (actual.isnan() & wanted.isnan()) if actual.is_floating_point() else actual.eq(wanted)
    expect(same.all(), f"{what}: {distance(actual, wanted)}")


def expect_close(actual: Tensor, wanted: Tensor, what: str, tolerance: float) -> None:
    """Within ``tolerance`` times the length of ``wanted``."""
    expect_shape(actual, wanted.shape, what)
    gap, length = (actual.double() - wanted.double()).norm(), wanted.double().norm()
    expect(gap <= tolerance * (length + 1e-3), f"{what}: {distance(actual, wanted)}")


def expect_shape(actual: Tensor, shape: Sequence[int], what: str) -> None:
    expect(tuple(actual.shape) == tuple(shape), f"{what}: shape {list(actual.shape)}, not {list(shape)}")


def expect_finite(tensor: Tensor, what: str) -> None:
    expect(torch.isfinite(tensor).all(), f"{what}: holds values that are not finite")


def distance(actual: Tensor, wanted: Tensor) -> str:
    """How far two tensors are apart, in words."""
    gap = (actual.double() - wanted.double()).abs()
    return f"differs by up to {gap.max():.3g}, where values reach {wanted.double().abs().max():.3g}" if gap.numel() else "empty"
