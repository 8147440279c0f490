"""The sample grid of a run: the same latents and classes at every moment, one row per class."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

from ganblocks.training.examples import GridInputs
from ganblocks.training.pictures import grid_picture, save_picture
from ganblocks.training.sampler import Sampler


def save_samples(inputs: GridInputs, sampler: Sampler, path: Path) -> Image.Image:
    """Draw a run's grid as a PNG, and return it. A file that cannot be written is a warning."""
    drawn, _ = grid_picture(sampler.draw(inputs.latent, inputs.label), inputs.columns)
    try:
        save_picture(drawn, path)
    except OSError as error:
        warnings.warn(f"{path}: cannot be written: {error.strerror or error}; training continues", stacklevel=2)
    return drawn
