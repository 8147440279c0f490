"""Forward hooks that last for a block of code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import nn

K = TypeVar("K")


@contextmanager
def observing(modules: Iterable[tuple[K, nn.Module]], observe: Callable[[K, nn.Module, Any, Any], None]) -> Iterator[None]:
    """Within the block, call ``observe(key, module, inputs, output)`` after each forward of the modules [(key, module), …]."""

    def hook(key: K) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: observe(key, module, inputs, output)

    handles = [module.register_forward_hook(hook(key)) for key, module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
