"""The only function through which optimizers step, where gradients are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def guarded_step(optimizer: torch.optim.Optimizer, settings: Mapping[str, Any]) -> dict[str, Tensor]:
    """Apply ``settings`` to every parameter group, step, and return the norm of the gradients.

    If any gradient is not finite, the step is taken with all gradients set to zero, without synchronizing the device. The
    training loop sees it from the norm and acts before anything is saved.

    Args:
        optimizer: a torch optimizer whose parameters have their gradients in ``.grad``.
        settings: entries of its parameter groups to set before the step, such as ``{"lr": 2e-4}``: of the optimizer's
            component, ``component.settings(images_seen)``.

    Returns:
        ``{"gradient_norm": 0-dim}``: the Euclidean norm over all parameters, not finite if a gradient is not.
    """
    gradients = []
    for group in optimizer.param_groups:
        group.update(settings)
        gradients += [parameter.grad for parameter in group["params"] if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    _zero_unless(torch.isfinite(norm), gradients)
    optimizer.step()
    return {"gradient_norm": norm.float()}


def _zero_unless(finite: Tensor, gradients: list[Tensor]) -> None:
    """Set all gradients to zero where ``finite``, 0-dim, is false; a device that computes asynchronously is not waited for."""
    if finite.device.type == "cpu":
        if not finite:
            torch._foreach_zero_(gradients)
        return
    for gradient in gradients:
        gradient.copy_(torch.where(finite, gradient, torch.zeros((), dtype=gradient.dtype, device=gradient.device)))
