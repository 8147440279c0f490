"""The statistics by which a generator's batch norms normalise while it is scorer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ganblocks.errors import UsageError
from ganblocks.training.batch_statistics import buffers_restored, estimate, mixing, running
from ganblocks.training.sampler import RESAMPLE, Sampler

MODES = ("moving", "batch", "standing")


@contextmanager
def normalising(
    sampler: Sampler, mode: str, seed: int, truncation: float | None = None, convention: str = RESAMPLE
) -> Iterator[None]:
    """Within it batch norms use one of three kinds of statistics; afterwards all is as before.

    ``"moving"``: what ``sampler.sample`` uses: those that the weights were saved with, and under truncation an estimate from
    latents that are cut alike. ``"batch"``: those of each batch. ``"standing"``: an estimate from samples of ``seed`` (Brock et
    al. 2019, arXiv:1809.11096, Appendix B), which the first agree with where they belong to the weights.
    """
    if mode not in MODES:
        raise UsageError(f"no batch-norm mode {mode!r}: {', '.join(MODES)}")
    if mode == "moving":
        with sampler.normalised_for(truncation, convention):
            yield
        return
    norms = mixing(sampler.network)
    with buffers_restored(sampler.network):
        if mode == "standing":
            _refuse_without_statistics(norms)
            estimate(sampler.network, sampler.representative(truncation, convention, seed))
        else:
            for norm in norms:
                norm.train()
        yield


def _refuse_without_statistics(norms: list[nn.Module]) -> None:
    for norm in norms:
        if running(norm) is None:
            raise UsageError(f"{type(norm).__name__} keeps no running mean and variance: evaluate with --batch-norm batch")
