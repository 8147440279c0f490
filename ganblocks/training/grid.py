"""The sample grid of a run: the same latents and classes at every moment, one row per class."""

from __future__ import annotations

import warnings
from typing import Any

import attrs
import torch
from attrs import frozen
from PIL import Image
from torch import Tensor

from ganblocks.seeding import seed_of
from ganblocks.training.gates import gates, with_live_gamma
from ganblocks.training.pictures import draw_grid, save_picture
from ganblocks.training.run_folder import RunFolder
from ganblocks.training.trainer import Trainer
from ganblocks.values import Player

ROWS = 16
"""At most this many classes have a row."""
EXAMINED = 16
"""Samples on which gated blocks are examined at the end of a run."""


def row_classes(classes: int) -> list[int]:
    """Return the class of each row of a grid: all of them, or 16 evenly spaced ones."""
    rows = min(classes, ROWS)
    return [row * classes // rows for row in range(rows)]


@frozen(eq=False)
class SampleGrid:
    """Latents [n, Z] and labels [n] | None of a run's grid."""

    latent: Tensor
    label: Tensor | None
    columns: int

    @classmethod
    def of(cls, trainer: Trainer) -> SampleGrid:
        """Return the grid of a run; it depends on the seed, the size of latents and the number of classes."""
        session, classes = trainer.session, trainer.session.image.classes
        columns, rows = 12 if classes else 8, min(classes, ROWS) or 8
        rng = torch.Generator().manual_seed(seed_of(session.seed, "grid"))
        latent = torch.randn(rows * columns, session.recipe.generator.latent, generator=rng)
        return cls(latent, torch.tensor(row_classes(classes)).repeat_interleave(columns) if classes else None, columns)

    def save(self, trainer: Trainer, folder: RunFolder) -> Image.Image:
        """Draw the averaged generator's samples into the run folder, and return them. A file that fails is a warning."""
        path = folder.sample(trainer.images_seen)
        drawn = draw_grid(trainer.sampler("average").draw(self.latent, self.label), self.columns)
        try:
            save_picture(drawn, path)
        except OSError as error:
            warnings.warn(f"{path}: cannot be written: {error.strerror or error}; training continues", stacklevel=2)
        return drawn

    @torch.no_grad()
    def gates(self, trainer: Trainer) -> list[dict[str, Any]]:
        """Return the gated blocks of both networks on the first samples of the grid, as health.json keeps them."""
        networks, device = trainer.game.networks, trainer.game.device
        latent = self.latent[:EXAMINED].to(device)
        label = None if self.label is None else self.label[:EXAMINED].to(device)
        generator, live = trainer.average.settled(), networks[Player.GENERATOR]
        image = generator(latent, label).float()
        examined = [with_live_gamma(gate, live) for gate in gates("generator", generator, latent, label)]
        examined += gates("discriminator", networks[Player.DISCRIMINATOR], image, label)
        return [attrs.asdict(gate) | {"words": gate.summary()} for gate in examined]
