"""The sample grid of a run: the same latents and classes at every moment, one row per class."""

from __future__ import annotations

import warnings
from pathlib import Path

from ganblocks.training.examples import GridInputs
from ganblocks.training.pictures import save_grid
from ganblocks.training.sampler import Sampler


def save_samples(inputs: GridInputs, sampler: Sampler, path: Path) -> None:
    """Draw a run's grid as a PNG. A file that cannot be written is a warning."""
    try:
        save_grid(sampler.draw(inputs.latent, inputs.label), path, inputs.columns)
    except OSError as error:
        warnings.warn(f"{path}: cannot be written: {error.strerror or error}; training continues", stacklevel=2)
