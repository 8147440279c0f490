"""Which modules of a generator read the class, and whether all of them can read a mixture of classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganblocks.errors import UsageError
from ganblocks.kinds.module_capabilities import MixesClasses


def refuse_unmixable(network: nn.Module, latent: Tensor, label: Tensor) -> None:
    """Raise UsageError unless a mixture of classes can stand for the label in every module that reads it.

    Args:
        network: a generator in evaluation mode.
        latent: any latents [B, Z] on its device.
        label: any labels int64 [B] on its device.

    """
    readers = label_readers(network, latent, label)
    if not readers:
        raise UsageError("this generator does not read the class: all its classes are the same; leave the classes out")
    for path, module in readers.items():
        if not isinstance(module, MixesClasses):
            where = f"generator.{path}" if path else "generator"
            raise UsageError(
                f"{where} ({type(module).__name__}) reads the class and takes no mixture of classes, so there is nothing "
                "between two classes: walk within one, --class K without --to-class; who writes the module can let it inherit "
                "ganblocks.MixesClasses"
            )


@torch.no_grad()
def label_readers(network: nn.Module, latent: Tensor, label: Tensor) -> dict[str, nn.Module]:
    """Return path -> module of all modules in which an operation reads the label, for latents [B, Z] and labels int64 [B].

    A module that passes the label on to another does not read it. They are found by a forward pass, because a label that is
    passed to a module may be ignored there, as by a plain batch norm.
    """
    with _entered(network) as inside, _Reading(label, inside) as reading:
        network(latent, label)
    return {path: module for path, module in network.named_modules() if module in reading.readers}


class _Reading(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the innermost module at every operation that takes the label."""

    def __init__(self, label: Tensor, inside: list[nn.Module]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.label, self.inside, self.readers = label, inside, set[nn.Module]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(argument is self.label for argument in _flat([*args, *(kwargs or {}).values()])):
            self.readers.add(self.inside[-1])
        return func(*args, **(kwargs or {}))


def _flat(arguments: Any) -> Iterator[Any]:
    """Yield the arguments of an operation; those of lists one by one."""
    for argument in arguments:
        if isinstance(argument, list | tuple):
            yield from _flat(argument)
        else:
            yield argument


@contextmanager
def _entered(network: nn.Module) -> Iterator[list[nn.Module]]:
    """Within the block, keep a list of the modules whose forward is running, the innermost last."""
    inside: list[nn.Module] = []

    def enter(module: nn.Module, inputs: Any) -> None:
        inside.append(module)

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        inside.pop()

    handles = [module.register_forward_pre_hook(enter) for module in network.modules()]
    handles += [module.register_forward_hook(leave, always_call=True) for module in network.modules()]
    try:
        yield inside
    finally:
        for handle in handles:
            handle.remove()
