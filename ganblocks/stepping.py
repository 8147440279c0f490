"""The one door through which optimizers step, so that health checks have one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def guarded_step(optimizer: torch.optim.Optimizer, settings: Mapping[str, Any]) -> dict[str, Tensor]:
    """Give every parameter group its ``settings``, step if all gradients are finite, and report the gradient norm.

    A gradient that is not finite never reaches a parameter: all gradients of the step become zero instead, without a host
    read, and the reported norm says so. The loop reads it once per step and stops the run before anything is saved.

    Args:
        optimizer: any optimizer of torch's interface; gradients stand in ``.grad``.
        settings: entries of its parameter groups to set before the step, such as ``{"lr": 2e-4}``: what the optimizer's
            component says at this moment, ``component.settings(images_seen)``. All groups get the same.

    Returns:
        ``{"gradient_norm": 0-dim}``: the Euclidean norm over all parameters, not finite where a gradient was not.
    """
    gradients = []
    for group in optimizer.param_groups:
        group.update(settings)
        gradients += [parameter.grad for parameter in group["params"] if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    finite = torch.isfinite(norm)
    for gradient in gradients:
        gradient.copy_(torch.where(finite, gradient, torch.zeros((), dtype=gradient.dtype, device=gradient.device)))
    optimizer.step()
    return {"gradient_norm": norm.float()}
