"""The statistics by which a generator's batch norms normalise while it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganblocks.errors import UsageError
from ganblocks.kinds.capabilities import MixesSamples
from ganblocks.training.sampler import RESAMPLE, Sampler

MODES = ("moving", "batch", "standing")
PASSES, BATCH = 16, 64


@contextmanager
def normalising(
    sampler: Sampler, mode: str, seed: int, truncation: float | None = None, convention: str = RESAMPLE
) -> Iterator[None]:
    """Within it batch norms use moving averages, the statistics of each batch, or standing ones; afterwards all is as before.

    Standing statistics are means over 16 batches of 64 fresh samples, truncated as those that are judged (Brock et al. 2019,
    arXiv:1809.11096, Appendix B).
    """
    if mode not in MODES:
        raise UsageError(f"no batch-norm mode {mode!r}: {', '.join(MODES)}")
    mixing: list[nn.Module] = [each for each in sampler.network.modules() if isinstance(each, MixesSamples)]
    kept = {id(each): {name: value.clone() for name, value in each.named_buffers(recurse=False)} for each in mixing}
    try:
        if mode != "moving":
            _train(mixing)
        if mode == "standing":
            how: dict[str, Any] = {"truncation": truncation, "convention": convention}
            _stand(mixing, lambda step: sampler.sample(BATCH, seed=seed + step, batch=BATCH, **how))
        yield
    finally:
        sampler.network.eval()
        with torch.no_grad():
            for each in mixing:
                for name, value in each.named_buffers(recurse=False):
                    value.copy_(kept[id(each)][name])


def _train(mixing: list[nn.Module]) -> None:
    for each in mixing:
        each.train()


@torch.no_grad()
def _stand(mixing: list[nn.Module], forward: Callable[[int], object]) -> None:
    """Set running statistics to the means, over several batches, of each batch's mean and unbiased variance."""
    sums: dict[int, list[Tensor]] = {id(each): [] for each in mixing}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].transpose(0, 1).flatten(1).float()
        sums[id(module)].append(torch.stack([x.mean(1), x.var(1)]))

    hooks = [each.register_forward_pre_hook(note) for each in mixing]
    try:
        for step in range(PASSES):
            forward(step)
    finally:
        for hook in hooks:
            hook.remove()
    for each in mixing:
        names = dict(each.named_buffers(recurse=False))
        if not {"running_mean", "running_var"} <= set(names):
            raise UsageError(f"{type(each).__name__} keeps no running mean and variance: evaluate with --batch-norm batch")
        mean, var = torch.stack(sums[id(each)]).mean(0)
        names["running_mean"].copy_(mean)
        names["running_var"].copy_(var)
        each.eval()
