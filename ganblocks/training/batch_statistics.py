"""Running statistics of batch norms, estimated for a network's current weights.

The statistics of training belong to the weights of about the last ten batches. Averaged weights need their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganblocks.kinds.module_capabilities import MixesSamples
from ganblocks.training.hooks import observing
from ganblocks.weights import shared_weights

SAMPLES, BATCH = 1024, 64
"""Samples of an estimate, and of each of its batches."""
PART = 2**16
"""Numbers that are summed at once; in float64 they take half a megabyte."""
Inputs = Callable[[int], tuple[Tensor, Tensor | None]]
"""n -> latents [n, Z] and labels int64 [n] | None on the network's device: equal n give equal inputs."""


def mixing(network: nn.Module) -> list[nn.Module]:
    """Return the modules of a network whose output for one sample depends on the other samples."""
    return [module for module in network.modules() if isinstance(module, MixesSamples)]


def running(module: nn.Module) -> Mapping[str, Tensor] | None:
    """Return the buffers ``running_mean`` [C] and ``running_var`` [C] of a module; None if it has none."""
    buffers = dict(module.named_buffers(recurse=False))
    return buffers if {"running_mean", "running_var"} <= set(buffers) else None


@torch.no_grad()
def estimate_statistics(network: nn.Module, inputs: Inputs, samples: int | None = None) -> bool:
    """Set a generator's running statistics to the average of the mean and unbiased variance of batches of 64 samples.

    Meanwhile batch norms use batch statistics, as in training, and everything else is in evaluation mode, in which the network
    is left. Returns whether there was a batch norm with running statistics. ``samples``: 1,024 by default.

    Source: standing statistics of Brock et al. (2019), arXiv:1809.11096, Appendix B; torch.optim.swa_utils.update_bn.
    """
    norms = [module for module in mixing(network) if running(module) is not None]
    network.eval()
    if not norms:
        return False
    moments: dict[int, list[Tensor]] = {index: [] for index in range(len(norms))}  # of each norm [2, C] per batch

    def observe(index: int, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        moments[index].append(mean_and_variance(inputs[0]))

    with _batch_mode(norms), observing(enumerate(norms), observe), shared_weights(network):
        latent, label = inputs(samples or SAMPLES)
        for start in range(0, len(latent), BATCH):
            part = slice(start, start + BATCH)
            network(latent[part], None if label is None else label[part])
    for index, module in enumerate(norms):
        mean, var = torch.stack(moments[index]).mean(0)
        buffers = running(module)
        assert buffers is not None
        buffers["running_mean"].copy_(mean)
        buffers["running_var"].copy_(var)
    return True


def mean_and_variance(x: Tensor) -> Tensor:
    """Return mean and unbiased variance of each channel of x [B, C, …] over all other dimensions: float32 [2, C].

    On the processor they are those of ``torch.var_mean``, bit for bit, because both sum in float64, and take a sixth of the
    time: it sums in parts that stay in the cache, about a value near the mean.
    """
    x = x.float()
    if not x.is_cpu:
        var, mean = torch.var_mean(x, [d for d in range(x.ndim) if d != 1])
        return torch.stack([mean, var])
    rows = x.movedim(1, -1).reshape(-1, x.shape[1])  # a view of channels_last
    n, near = len(rows), rows[:256].double().mean(0)
    total, squares = torch.zeros_like(near), torch.zeros_like(near)
    for part in torch.split(rows, max(PART // x.shape[1], 1)):
        gap = part.double().sub_(near)
        total += gap.sum(0)
        squares += gap.square_().sum(0)
    mean = total / n
    return torch.stack([mean + near, (squares - total * mean).clamp(min=0) / (n - 1)]).float()


@contextmanager
def buffers_restored(network: nn.Module) -> Iterator[None]:
    """After the block, restore the buffers of all modules that mix samples and leave the network in evaluation mode."""
    originals = [(buffer, buffer.clone()) for module in mixing(network) for buffer in module.buffers(recurse=False)]
    try:
        yield
    finally:
        network.eval()
        with torch.no_grad():
            for buffer, value in originals:
                buffer.copy_(value)


@contextmanager
def _batch_mode(norms: list[nn.Module]) -> Iterator[None]:
    for module in norms:
        module.train()
    try:
        yield
    finally:
        for module in norms:
            module.eval()
