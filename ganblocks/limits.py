"""Limits of what a recipe may ask for, applied before memory is allocated."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as registration

from ganblocks.errors import PlacementError, UsageError

VARIABLE = "GANBLOCKS_MOST_NUMBERS"
"""Environment variable that replaces MOST_NUMBERS. A recipe cannot."""
MOST_NUMBERS = 10**10
"""Elements of all parameters and buffers of a network, of a batch, and of the samples of an evaluation."""
MOST_MODULES = 4_000
"""Modules of a network: a short recipe can ask for any number of blocks."""
_TOO_LARGE = ("overflow", "can't allocate memory", "Invalid buffer size", "larger than the maximum")


def most_numbers() -> int:
    """Return the limit in effect. Raise UsageError if the environment variable is not a number."""
    text = os.environ.get(VARIABLE, "")
    if text and not re.fullmatch("[1-9][0-9]{0,17}", text):
        rule = f"must be a whole number from 1 on, in digits, such as {2 * MOST_NUMBERS}"
        raise UsageError(f"{VARIABLE} is {text!r}, and {rule}; unset it for the usual {MOST_NUMBERS:,}")
    return int(text or MOST_NUMBERS)


def how_to_raise() -> str:
    """Return the hint of an error that a limit causes."""
    return f"make it smaller, or set {VARIABLE} to allow more than {most_numbers():,}"


@contextmanager
def within_limits(where: str) -> Iterator[None]:
    """Limit the parameters, buffers and modules that are registered within the block.

    A layer registers its weights before it fills them, so memory is not touched before a limit is reached.

    Raises:
        PlacementError: the network at ``where`` exceeds a limit, or a size that a tensor can have.
        UsageError: as :func:`most_numbers`.

    """
    seen: dict[int, Any] = {}  # keeps the objects, so that no id is reused
    numbers = modules = 0
    most = most_numbers()

    def count(module: nn.Module, name: str, value: Tensor | None) -> None:
        nonlocal numbers
        if value is None or id(value) in seen:
            return
        seen[id(value)] = value
        numbers += value.numel()
        if numbers > most:
            raise PlacementError(where, f"more than {most:,} parameters and buffers", how_to_raise())

    def count_module(module: nn.Module, name: str, value: nn.Module | None) -> None:
        nonlocal modules
        modules += 1
        if modules > MOST_MODULES:
            raise PlacementError(where, f"more than {MOST_MODULES:,} layers and blocks", "use fewer blocks")

    with ExitStack() as stack:
        stack.callback(registration.register_module_parameter_registration_hook(count).remove)
        stack.callback(registration.register_module_buffer_registration_hook(count).remove)
        stack.callback(registration.register_module_module_registration_hook(count_module).remove)
        try:
            yield
        except (RuntimeError, TypeError, OverflowError, MemoryError) as error:
            if isinstance(error, MemoryError) or any(phrase.lower() in str(error).lower() for phrase in _TOO_LARGE):
                raise PlacementError(where, "a layer of a size that no tensor can have", how_to_raise()) from error
            raise
