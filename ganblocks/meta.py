"""Tensors of torch's meta device: shapes without memory or arithmetic."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

MARK = "__dynamo_disable"
"""Where torch keeps, on a function that it must not compile, the form of it that is called instead."""


@contextmanager
def on_meta() -> Iterator[None]:
    """Within the block new tensors are on the meta device."""
    with compiler_not_imported(), torch.device("meta"):
        yield


@contextmanager
def compiler_not_imported(*modes: type[TorchDispatchMode]) -> Iterator[None]:
    """Within the block the kernels of the meta device, and ``modes``, do not import torch's compiler.

    They are Python functions that must not be compiled. When one is first called, torch imports its compiler, only to exclude
    the function from it; that takes most of a second. As long as the compiler is not imported, it compiles nothing, and the
    functions are called as they are. A function of another version of torch may import it all the same.
    """
    functions = [] if "torch._dynamo" in sys.modules else [*_kernels(), *_excluded(*(m.__torch_dispatch__ for m in modes))]
    marked = [function for function in functions if MARK not in vars(function)]
    for function in marked:
        vars(function)[MARK] = function
    try:
        yield
    finally:
        for function in marked:
            del vars(function)[MARK]


@cache
def _kernels() -> tuple[Callable[..., Any], ...]:
    """Return the kernels of the meta device that torch excludes from compilation; none if this version keeps them elsewhere."""
    try:
        from torch._decomp import global_decomposition_table as tables

        return tuple(dict.fromkeys(_excluded(*(kernel for table in tables.values() for kernel in table.values()))))
    except (ImportError, AttributeError):
        return ()


def _excluded(*functions: Any) -> Iterator[Callable[..., Any]]:
    """Yield the functions that are excluded from compilation among these, and among those that they wrap."""
    for function in functions:
        while (inner := _wrapped(function)) is not None:
            if function.__globals__.get("__name__") == "torch._compile":
                yield inner
            function = inner


def _wrapped(function: Any) -> Any:
    """Return what a wrapper of torch calls, its variable ``fn``; None if it is no such wrapper."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    return function.__closure__[names.index("fn")].cell_contents if "fn" in names else None
