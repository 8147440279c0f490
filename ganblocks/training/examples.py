"""The inputs on which the blocks of a run are examined: the same latents, classes and real images at every moment."""

from __future__ import annotations

from functools import cached_property

import torch
from attrs import frozen
from torch import Tensor

from ganblocks.assembly import Session
from ganblocks.batches import from_bytes
from ganblocks.seeding import seed_of
from ganblocks.values import Player

ROWS = 16
"""At most this many classes have a row in a grid of samples."""
EXAMINED = 16
"""Samples, and real images, on which blocks are examined."""
SHOWN = 9
"""Samples, and real images, whose attention maps are shown."""

Inputs = tuple[Tensor, Tensor | None]
"""Latents [n, Z] or images [n, C, H, W], and their classes [n]."""


def row_classes(classes: int) -> list[int]:
    """Return the class of each row of a grid: all of them, or 16 evenly spaced ones."""
    rows = min(classes, ROWS)
    return [row * classes // rows for row in range(rows)]


@frozen
class GridInputs:
    """Latents [n, Z] and classes [n] | None of a run's grid of samples, row by row."""

    latent: Tensor
    label: Tensor | None
    columns: int

    @classmethod
    def of(cls, session: Session) -> GridInputs:
        """Return those of a run; they depend on the seed, the size of latents and the number of classes."""
        classes = session.image.classes
        columns, rows = 12 if classes else 8, min(classes, ROWS) or 8
        rng = torch.Generator().manual_seed(seed_of(session.seed, "grid"))
        latent = torch.randn(rows * columns, session.recipe.generator.latent, generator=rng)
        return cls(latent, torch.tensor(row_classes(classes)).repeat_interleave(columns) if classes else None, columns)


class Examples:
    """Inputs of both networks: samples of the grid, and training images.

    Numbers are measured on 16 of each, evenly spaced. Maps are shown of up to 9: the first sample of rows of the grid, and the
    first training image of the same classes.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def shown(self, player: Player) -> Inputs:
        """Return the inputs whose maps are shown, on the device of the network."""
        return self._shown_samples() if player is Player.GENERATOR else self._shown_real()

    def _shown_samples(self) -> Inputs:
        grid, device = GridInputs.of(self._session), self._session.game.device
        rows = evenly_spaced(len(grid.latent) // grid.columns, SHOWN) * grid.columns
        return grid.latent[rows].to(device), None if grid.label is None else grid.label[rows].to(device)

    def _shown_real(self) -> Inputs:
        images, classes = self._session.batches.images, self._session.image.classes
        train = images.split["train"]
        if not classes:
            return self._read(train[evenly_spaced(len(train), SHOWN)])
        rows = row_classes(classes)
        of_class = [train[images.labels[train] == rows[i]][:1] for i in evenly_spaced(len(rows), SHOWN)]
        return self._read(torch.cat(of_class))

    def _read(self, indices: Tensor) -> Inputs:
        images, device = self._session.batches.images, self._session.game.device
        label = images.labels[indices].to(device) if self._session.image.classes else None
        return from_bytes(images.read(indices), device), label

    def of(self, player: Player) -> Inputs:
        """Return a network's inputs, on its device: latents for the generator, real images for the discriminator."""
        return self._samples if player is Player.GENERATOR else self._real

    @cached_property
    def _samples(self) -> Inputs:
        grid, device = GridInputs.of(self._session), self._session.game.device
        chosen = evenly_spaced(len(grid.latent), EXAMINED)
        return grid.latent[chosen].to(device), None if grid.label is None else grid.label[chosen].to(device)

    @cached_property
    def _real(self) -> Inputs:
        images = self._session.batches.images
        train = images.split["train"]
        by_class = train[images.labels[train].argsort(stable=True)] if self._session.image.classes else train
        return self._read(by_class[evenly_spaced(len(train), EXAMINED)])


def evenly_spaced(count: int, wanted: int) -> Tensor:
    """Return int64 [min(count, wanted)]: evenly spaced numbers below ``count``, from 0 on."""
    wanted = min(count, wanted)
    return torch.arange(wanted) * count // wanted
