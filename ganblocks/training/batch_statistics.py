"""Running statistics of batch norms, estimated for the weights that a network has now.

Running statistics follow the batches of training: they belong to the weights of the last ten batches or so. An average of the
weights needs statistics of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganblocks.kinds.module_capabilities import MixesSamples

SAMPLES, BATCH = 1024, 64
"""Samples of an estimate, and of each batch."""
Inputs = Callable[[int], tuple[Tensor, Tensor | None]]
"""n -> latents [n, Z] and labels int64 [n] | None on the network's device: the same whenever it is asked for."""


def mixing(network: nn.Module) -> list[nn.Module]:
    """Return the modules of a network whose output for one sample depends on the others."""
    return [module for module in network.modules() if isinstance(module, MixesSamples)]


def running(module: nn.Module) -> Mapping[str, Tensor] | None:
    """Return the buffers ``running_mean`` [C] and ``running_var`` [C] of a module; None where it keeps none."""
    buffers = dict(module.named_buffers(recurse=False))
    return buffers if {"running_mean", "running_var"} <= set(buffers) else None


@torch.no_grad()
def estimate(network: nn.Module, inputs: Inputs, samples: int | None = None) -> bool:
    """Set the running statistics of a generator to the means, over batches of 64, of each batch's mean and unbiased variance.

    Batch norms normalise by the statistics of each batch meanwhile, as in training; everything else is in evaluation mode. What
    keeps no running mean and variance stays as it is. Afterwards the whole network is in evaluation mode. Returns whether there
    was anything to estimate. ``samples``: 1,024 unless said.

    Source: standing statistics of Brock et al. (2019), arXiv:1809.11096, Appendix B; torch.optim.swa_utils.update_bn.
    """
    norms = [module for module in mixing(network) if running(module) is not None]
    network.eval()
    if not norms:
        return False
    with _batch_mode(norms), _observed(norms) as seen:
        latent, label = inputs(samples or SAMPLES)
        for start in range(0, len(latent), BATCH):
            part = slice(start, start + BATCH)
            network(latent[part], None if label is None else label[part])
    for module, moments in zip(norms, seen, strict=True):
        mean, var = torch.stack(moments).mean(0)
        buffers = running(module)
        assert buffers is not None
        buffers["running_mean"].copy_(mean)
        buffers["running_var"].copy_(var)
    return True


@contextmanager
def buffers_restored(network: nn.Module) -> Iterator[None]:
    """Put the buffers of all modules that mix samples back when the block ends, and the network into evaluation mode."""
    before = [(buffer, buffer.clone()) for module in mixing(network) for buffer in module.buffers(recurse=False)]
    try:
        yield
    finally:
        network.eval()
        with torch.no_grad():
            for buffer, value in before:
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


@contextmanager
def _observed(norms: list[nn.Module]) -> Iterator[list[list[Tensor]]]:
    """Per norm and batch, the mean and unbiased variance [2, C] of its input, in float32."""
    seen: list[list[Tensor]] = [[] for _ in norms]

    def observe(moments: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0].float()
            var, mean = torch.var_mean(x, [d for d in range(x.ndim) if d != 1])
            moments.append(torch.stack([mean, var]))

        return hook

    handles = [module.register_forward_pre_hook(observe(moments)) for module, moments in zip(norms, seen, strict=True)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
