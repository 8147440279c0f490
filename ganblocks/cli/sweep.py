"""``ganblocks sample --sweep``: the same samples at several truncations."""

from __future__ import annotations

import torch

from ganblocks.cli.commands import SampleOptions
from ganblocks.cli.context import say
from ganblocks.cli.sample_output import enlarged, picture_path, replaced, samples_in_words, written
from ganblocks.errors import UsageError
from ganblocks.training.latents import RESAMPLE
from ganblocks.training.pictures import save_grid, to_bytes
from ganblocks.training.sampler import Sampler

SAMPLES = 8
"""Samples of a row."""
UNTRUNCATED = "none"


def truncations_of(text: str) -> list[float | None]:
    """Return the truncations of ``--sweep``, such as 0.2,0.5,1,none. Raise UsageError."""
    return [_truncation(part.strip(), text) for part in text.split(",")]


def _truncation(part: str, text: str) -> float | None:
    if part == UNTRUNCATED:
        return None
    try:
        return float(part)
    except ValueError:
        rule = f"{part!r} is no number; write truncations with commas between them, such as 0.2,0.5,1,{UNTRUNCATED}"
        raise UsageError(f"--sweep {text}: {rule}") from None


def draw_sweep(sampler: Sampler, options: SampleOptions, truncations: list[float | None], label: int | None) -> None:
    """Write one PNG with a row of the same samples for each truncation. Raise UsageError."""
    n, image = options.n or SAMPLES, sampler.image
    path = picture_path(options, "sweep", [] if label is None else [label], image)
    rows = [to_bytes(_row(sampler, options, n, truncation, label)) for truncation in truncations]
    note = replaced(path)
    with written(path, "--out"):
        scale = save_grid(torch.cat(rows), path, columns=n)
    names = ", ".join(UNTRUNCATED if value is None else f"{value:g}" for value in truncations)
    summary = samples_in_words(n, options, label, image)
    say(f"{summary}, a row for each truncation{enlarged(scale, own_size=False)}{note}")
    say(f"truncations ({options.truncation_by}), from the top: {names}")
    print(path)


def _row(sampler: Sampler, options: SampleOptions, n: int, truncation: float | None, label: int | None) -> torch.Tensor:
    """Return the samples [n, C, H, W] of one truncation, with the batch-norm statistics that belong to it."""
    convention = RESAMPLE if truncation is None else options.truncation_by
    return sampler.sample(n, label, options.seed, truncation, convention=convention, start=options.start)
