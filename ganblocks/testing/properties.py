"""Properties of components as checks that can fail, and the expectations that checks are written with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import torch
from attrs import frozen
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from ganblocks.registry import Registry

T = TypeVar("T")
Cases = Callable[[type, Registry, Sequence[Any]], SearchStrategy[Any]]
"""(component class, registry, components to use instead of drawn ones) -> cases: a component and what it is tested on."""
CheckFunction = Callable[[Any], None]
"""Takes a case. Raises ConformanceError, or whatever the component raises."""


class ConformanceError(AssertionError):
    """A component lacks a property of its kind; the message says what was observed instead."""


class NotChecked(Exception):
    """A property cannot be tested here; the message gives the reason, and ``detail`` the error behind it."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


class NotApplicable(Exception):
    """A property does not apply to this example. If it applies to none, it is not checked, for this reason."""


@frozen
class Property:
    """One property of every component of a kind."""

    name: str
    statement: str
    """The property as a sentence."""
    check: CheckFunction
    cases: Cases | None = None
    """How cases are drawn; None: as for the other properties of the kind."""
    examples: int = 10
    """Number of examples at hypothesis' default profile; a deeper profile has proportionally more."""
    shrinks: bool = True
    """Whether to search for the smallest failing example."""


def properties(
    *checks: CheckFunction, cases: Cases | None = None, examples: int = 10, shrinks: bool = True
) -> tuple[Property, ...]:
    """Return a property for each check; a check's docstring states it."""
    return tuple(
        Property(check.__name__, " ".join((check.__doc__ or "").split()), check, cases, examples, shrinks) for check in checks
    )


def fail(observed: str) -> NoReturn:
    """Raise ConformanceError."""
    raise ConformanceError(observed)


def expect(holds: object, observed: str) -> None:
    """Raise ConformanceError with what was observed, unless ``holds`` is true."""
    if not holds:
        fail(observed)


INTERACTION_HINT = " (inherit ganblocks.CouplesSamples if samples are meant to interact)"
"""The fix where samples of a batch interact in a component that does not declare it."""


def only_if(applies: object, reason: str) -> None:
    """Raise NotApplicable unless the check applies to this example."""
    if not applies:
        raise NotApplicable(reason)


def require(module: object, capability: type[T]) -> T:
    """Return the module, typed as one with ``capability``. Raise NotApplicable if it does not inherit it."""
    if not isinstance(module, capability):
        raise NotApplicable(f"does not inherit {capability.__name__}")
    return module


def expect_type(value: object, cls: type[T], what: str = "") -> T:
    """Return ``value`` if it is a ``cls``; otherwise raise ConformanceError."""
    if not isinstance(value, cls):
        fail(f"{what} returns a {type(value).__name__}, not a ganblocks.{cls.__name__}".strip())
    return value


def expect_same(actual: Tensor, wanted: Tensor, what: str) -> None:
    """Expect two tensors of any shape to be equal bit for bit (a NaN equals itself)."""
    expect_shape(actual, wanted.shape, what)
    expect(actual.dtype == wanted.dtype, f"{what}: {actual.dtype}, not {wanted.dtype}")
    same = actual.eq(wanted) | (actual.isnan() & wanted.isnan()) if actual.is_floating_point() else actual.eq(wanted)
    expect(same.all(), f"{what}: {distance(actual, wanted)}")


def expect_close(actual: Tensor, wanted: Tensor, what: str, tolerance: float) -> None:
    """Expect two tensors of any shape to differ by at most ``tolerance`` times the norm of ``wanted``."""
    expect_shape(actual, wanted.shape, what)
    gap, length = (actual.double() - wanted.double()).norm(), wanted.double().norm()
    expect(gap <= tolerance * (length + 1e-3), f"{what}: {distance(actual, wanted)}")


def expect_shape(actual: Tensor, shape: Sequence[int], what: str) -> None:
    """Expect a tensor of any shape to have the given one."""
    expect(tuple(actual.shape) == tuple(shape), f"{what}: shape {list(actual.shape)}, not {list(shape)}")


def expect_finite(tensor: Tensor, what: str) -> None:
    """Expect a tensor of any shape to hold finite values only."""
    expect(torch.isfinite(tensor).all(), f"{what}: contains values that are not finite")


def distance(actual: Tensor, wanted: Tensor) -> str:
    """Return the largest difference of two tensors of equal shape, in words."""
    gap = (actual.double() - wanted.double()).abs()
    return f"differs by up to {gap.max():.3g}, where values reach {wanted.double().abs().max():.3g}" if gap.numel() else "empty"
