"""Estimates and derived weights of a whole network: all modules of one class together, so that they can share operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn

from ganblocks.kinds.module_capabilities import DerivesWeight, HasEstimates


def advance_estimates(network: nn.Module) -> None:
    """Advance every estimate of a network by one step: once before each turn of the network."""
    for kind, modules in _by_class(network, HasEstimates):
        kind.advance_all(modules)


def settle_estimates(network: nn.Module, n: int = 20) -> None:
    """Advance every estimate of a network by n steps: after initialising, averaging or loading foreign weights."""
    for kind, modules in _by_class(network, HasEstimates):
        kind.settle_all(modules, n)


@contextmanager
def shared_weights(*networks: nn.Module) -> Iterator[None]:
    """Within the block, derive each weight of the networks once for all forwards: their values and gradients stay the same."""
    with ExitStack() as stack:
        for network in networks:
            for kind, modules in _by_class(network, DerivesWeight):
                stack.enter_context(kind.weights_shared(modules))
        yield


def _by_class(network: nn.Module, capability: type[Any]) -> list[tuple[Any, list[Any]]]:
    """Return (class, its modules in the network) of the modules that have a capability."""
    groups: dict[type[Any], list[Any]] = {}
    for module in network.modules():
        if isinstance(module, capability):
            groups.setdefault(type(module), []).append(module)
    return list(groups.items())
