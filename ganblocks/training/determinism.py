"""Deterministic kernels, where a recipe asks for them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ganblocks.assembly import Session
from ganblocks.errors import Mistake, RecipeError
from ganblocks.values import Player

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Read by cuBLAS when it is first used; the setting makes its sums deterministic."""


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Within the block, torch uses deterministic kernels only, if ``wanted``."""
    if not wanted:
        yield
        return
    enabled, only_warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    os.environ.setdefault(WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=only_warned)
        torch.backends.cudnn.benchmark = benchmark


def rehearse(session: Session) -> None:
    """Compute both players' gradients once on the first images, to name operations without a deterministic kernel.

    Raises:
        RecipeError: an operation of a component has no deterministic kernel on this device.

    """
    for player in Player:
        first = session.batches.at(player, 0)
        batch = next(first.split(session.game.microbatch or len(first)))
        parameters = [parameter for parameter in session.game.networks[player].parameters() if parameter.requires_grad]
        try:
            total = session.game.objective(player, batch, 0, (player,)).total
            torch.autograd.grad(total, parameters, allow_unused=True)
        except RuntimeError as error:
            if not (match := re.match(r"(\S+) does not have a deterministic implementation", str(error))):
                raise
            rule = f"{match[1]}, in the {player}'s turn, has no deterministic implementation on {session.game.device.type}"
            hint = "set it to false, or use another component"
            raise RecipeError([Mistake("training.deterministic", "true", rule, hint)]) from error
