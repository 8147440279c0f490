"""What checks expect: ``expect.that(...)``, ``expect.same(...)`` and so on raise ConformanceError with what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
HINT = " (inherit ganblocks.CouplesSamples if samples are meant to interact)"
"""The fix where samples of a batch interact in a component that does not declare it."""


class ConformanceError(AssertionError):
    """A component lacks a property of its kind; the message says what was observed instead."""


class NotChecked(Exception):
    """A property cannot be tested here; the message gives the reason, and ``detail`` the error behind it."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


class NotApplicable(Exception):
    """A property does not apply to this example. If it applies to none, it is not checked, for this reason."""


def fail(observed: str) -> NoReturn:
    """Raise ConformanceError."""
    raise ConformanceError(observed)


def that(holds: object, observed: str) -> None:
    """Raise ConformanceError with what was observed, unless ``holds`` is true."""
    if not holds:
        fail(observed)


def only_if(applies: object, reason: str) -> None:
    """Raise NotApplicable unless the check applies to this example."""
    if not applies:
        raise NotApplicable(reason)


def require(module: object, capability: type[T]) -> T:
    """Return the module, typed as one with ``capability``. Raise NotApplicable if it does not inherit it."""
    if not isinstance(module, capability):
        raise NotApplicable(f"does not inherit {capability.__name__}")
    return module


def instance(value: object, cls: type[T], what: str = "") -> T:
    """Return ``value`` if it is a ``cls``; otherwise raise ConformanceError."""
    if not isinstance(value, cls):
        fail(f"{what} returns a {type(value).__name__}, not a ganblocks.{cls.__name__}".strip())
    return value


def same(actual: Tensor, wanted: Tensor, what: str) -> None:
    """Expect two tensors of any shape to be equal bit for bit (a NaN equals itself)."""
    shape(actual, wanted.shape, what)
    that(actual.dtype == wanted.dtype, f"{what}: {actual.dtype}, not {wanted.dtype}")
    equal = actual.eq(wanted) | (actual.isnan() & wanted.isnan()) if actual.is_floating_point() else actual.eq(wanted)
    that(equal.all(), f"{what}: {distance(actual, wanted)}")


def close(actual: Tensor, wanted: Tensor, what: str, tolerance: float) -> None:
    """Expect two tensors of any shape to differ by at most ``tolerance`` times the norm of ``wanted``."""
    shape(actual, wanted.shape, what)
    gap, length = (actual.double() - wanted.double()).norm(), wanted.double().norm()
    that(gap <= tolerance * (length + 1e-3), f"{what}: {distance(actual, wanted)}")


def shape(actual: Tensor, wanted: Sequence[int], what: str) -> None:
    """Expect a tensor of any shape to have the given one."""
    that(tuple(actual.shape) == tuple(wanted), f"{what}: shape {list(actual.shape)}, not {list(wanted)}")


def finite(tensor: Tensor, what: str) -> None:
    """Expect a tensor of any shape to hold finite values only."""
    that(torch.isfinite(tensor).all(), f"{what}: contains values that are not finite")


def distance(actual: Tensor, wanted: Tensor) -> str:
    """Return the largest difference of two tensors of equal shape, in words."""
    gap = (actual.double() - wanted.double()).abs()
    return f"differs by up to {gap.max():.3g}, where values reach {wanted.double().abs().max():.3g}" if gap.numel() else "empty"
