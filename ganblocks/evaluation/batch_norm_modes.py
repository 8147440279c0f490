"""The statistics by which a generator's batch norms normalise while it is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ganblocks.errors import UsageError
from ganblocks.training.batch_statistics import buffers_restored, estimate_statistics, mixing, running
from ganblocks.training.sampler import RESAMPLE, Sampler

MODES = ("moving", "batch", "standing")


@contextmanager
def batch_norm_mode(
    sampler: Sampler, mode: str, seed: int, truncation: float | None = None, convention: str = RESAMPLE
) -> Iterator[None]:
    """Switch batch norms to one of three kinds of statistics within the context, and restore them afterwards.

    ``"moving"``: as in ``sampler.sample``: those saved with the weights, or estimated from truncated latents under truncation.
    ``"batch"``: those of each batch. ``"standing"``: estimated from samples of ``seed`` (Brock et al. 2019, arXiv:1809.11096,
    Appendix B).

    Raises UsageError for another mode, or for a norm without running statistics that would need them.
    """
    if mode not in MODES:
        raise UsageError(f"no batch-norm mode {mode!r}: {', '.join(MODES)}")
    if mode == "moving":
        with sampler.statistics_for(truncation, convention):
            yield
        return
    norms = mixing(sampler.network)
    with buffers_restored(sampler.network):
        if mode == "standing":
            _refuse_without_statistics(norms)
            estimate_statistics(sampler.network, sampler.representative(truncation, convention, seed))
        else:
            for norm in norms:
                norm.train()
        yield


def _refuse_without_statistics(norms: list[nn.Module]) -> None:
    for norm in norms:
        if running(norm) is None:
            rule = f"{type(norm).__name__} keeps no running mean and variance"
            raise UsageError(rule, "evaluate with --batch-norm batch")
