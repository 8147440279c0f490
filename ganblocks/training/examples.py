"""The inputs on which the blocks of a run are examined: the same latents, classes and real images at every moment."""

from __future__ import annotations

from functools import cached_property

import torch
from attrs import define, frozen
from torch import Tensor

from ganblocks.assembly import Session
from ganblocks.batches import from_bytes
from ganblocks.seeding import seed_of
from ganblocks.values import Images, Player

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
    def of(cls, seed: int, latent: int, classes: int) -> GridInputs:
        """Return those of a run with this seed, latents of this size and so many classes."""
        columns, rows = 12 if classes else 8, min(classes, ROWS) or 8
        rng = torch.Generator().manual_seed(seed_of(seed, "grid"))
        drawn = torch.randn(rows * columns, latent, generator=rng)
        return cls(drawn, torch.tensor(row_classes(classes)).repeat_interleave(columns) if classes else None, columns)


@define(eq=False, slots=False)
class Examples:
    """Inputs of both networks: samples of the grid, and training images.

    Numbers are measured on 16 of each, evenly spaced. Maps are shown of up to 9: the first sample of rows of the grid, and the
    first training image of the same classes.
    """

    grid: GridInputs
    classes: int
    images: Images
    device: torch.device

    @classmethod
    def of(cls, session: Session) -> Examples:
        """Return the examples of a run that trains."""
        classes = session.image.classes
        grid = GridInputs.of(session.seed, session.recipe.generator.latent, classes)
        return cls(grid, classes, session.batches.images, session.game.device)

    def measured(self, player: Player) -> Inputs:
        """Return the inputs on which a network's numbers are measured, on the device."""
        return self._samples if player is Player.GENERATOR else self._real

    def shown(self, player: Player) -> Inputs:
        """Return the inputs whose maps are shown, on the device."""
        return self._moved(*shown_samples(self.grid)) if player is Player.GENERATOR else self._shown_real()

    @cached_property
    def _samples(self) -> Inputs:
        chosen = evenly_spaced(len(self.grid.latent), EXAMINED)
        return self._moved(self.grid.latent[chosen], None if self.grid.label is None else self.grid.label[chosen])

    @cached_property
    def _real(self) -> Inputs:
        return self.real(EXAMINED)

    def real(self, count: int, label: int | None = None) -> Inputs:
        """Return up to ``count`` training images [n, C, H, W] and their classes [n], evenly spaced over the classes.

        With a ``label``, of this class only.
        """
        train = self.images.split["train"]
        train = train if label is None else train[self.images.labels[train] == label]
        by_class = train[self.images.labels[train].argsort(stable=True)] if self.classes else train
        return self._read(by_class[evenly_spaced(len(train), count)])

    def _shown_real(self) -> Inputs:
        train = self.images.split["train"]
        if not self.classes:
            return self._read(train[evenly_spaced(len(train), SHOWN)])
        rows = row_classes(self.classes)
        of_class = [train[self.images.labels[train] == rows[i]][:1] for i in evenly_spaced(len(rows), SHOWN)]
        return self._read(torch.cat(of_class))

    def _read(self, indices: Tensor) -> Inputs:
        label = self.images.labels[indices] if self.classes else None
        return from_bytes(self.images.read(indices), self.device), None if label is None else label.to(self.device)

    def _moved(self, latent: Tensor, label: Tensor | None) -> Inputs:
        return latent.to(self.device), None if label is None else label.to(self.device)


def shown_samples(grid: GridInputs) -> Inputs:
    """Return the samples of a grid whose maps are shown: the first of up to 9 rows."""
    rows = evenly_spaced(len(grid.latent) // grid.columns, SHOWN) * grid.columns
    return grid.latent[rows], None if grid.label is None else grid.label[rows]


def evenly_spaced(count: int, wanted: int) -> Tensor:
    """Return int64 [min(count, wanted)]: evenly spaced numbers below ``count``, from 0 on."""
    wanted = min(count, wanted)
    return torch.arange(wanted) * count // wanted
