"""The loop: one page, one clock (real images that the discriminator has consumed)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from ganblocks.assembly import Session
from ganblocks.errors import Diverged
from ganblocks.training.average import Average
from ganblocks.training.checkpoint import Checkpoint, save_checkpoint
from ganblocks.training.pictures import save_grid
from ganblocks.training.run_folder import RunFolder
from ganblocks.training.sampler import Sampler
from ganblocks.training.statistics import as_numbers, gammas, sigmas
from ganblocks.training.stopping import Stop
from ganblocks.values import Player, seed_of

Watch = Callable[[dict[str, Any]], None]
"""Called with every record of metrics.jsonl, for a live display."""


@frozen(eq=False)
class Cadence:
    """True whenever a count crosses a multiple of ``every``."""

    every: int

    def crossed(self, before: int, now: int) -> bool:
        return before // self.every != now // self.every


def train(session: Session, folder: RunFolder, stop: Stop, watch: Watch) -> None:
    """Play until the images of the recipe are used up, or until somebody asks for a stop."""
    settings, batches, average = (
        session.recipe.training,
        session.batches,
        Average(session.game.networks[Player.GENERATOR], session.recipe.average.decay, session.recipe.average.start),
    )
    samples, checkpoints = (
        Cadence(settings.samples_every or tenth(settings.images)),
        Cadence(settings.checkpoint_every or tenth(settings.images)),
    )
    statistics = Cadence(settings.statistics_every or max(settings.images // 100, 1))
    grid = FixedGrid.of(session)
    grid.save(average, folder, 0)
    step, started = 0, time.perf_counter()
    while batches.images_seen < settings.images and not stop:
        before = batches.images_seen
        metrics = session.updater.step(batches, before) | gammas(session.game)
        seen, step = batches.images_seen, step + 1
        average.update(seen)
        if statistics.crossed(before, seen):
            metrics |= sigmas(session.game)
        record = {"images": seen, "step": step, "seconds": round(time.perf_counter() - started, 3), **as_numbers(metrics)}
        folder.log(record)
        stop_if_not_finite(record)
        watch(record)
        if samples.crossed(before, seen):
            grid.save(average, folder, seen)
        if checkpoints.crossed(before, seen):
            save(session, average, folder, step)
    grid.save(average, folder, batches.images_seen)
    save(session, average, folder, step)


def save(session: Session, average: Average, folder: RunFolder, step: int) -> None:
    """Write a checkpoint, after the metrics up to here are on their way to the disk."""
    folder.flush()
    checkpoint = Checkpoint(
        images_seen=session.batches.images_seen,
        step=step,
        drawn={str(player): count for player, count in session.batches.drawn.items()},
        game=session.game.state_dict(),
        average=average.settled().state_dict(),
        updater=session.updater.state_dict(),
    )
    save_checkpoint(folder.checkpoints, checkpoint)


def stop_if_not_finite(record: dict[str, Any]) -> None:
    """A value that is not finite ends the run here: the weights that were last saved are still good."""
    wrong = [name for name, value in record.items() if isinstance(value, float) and not math.isfinite(value)]
    if wrong:
        raise Diverged(
            f"step {record['step']} ({record['images']:,} images): not finite: {', '.join(wrong)}; stopped before anything was"
            ' saved. Lower the rates, or use precision = "fp32"'
        )


def tenth(images: int) -> int:
    return max(images // 10, 1)


@frozen(eq=False)
class FixedGrid:
    """The same latents and classes at every moment of a run: one row per class where there are classes."""

    session: Session
    latent: Tensor
    label: Tensor | None
    columns: int

    @classmethod
    def of(cls, session: Session) -> FixedGrid:
        classes, columns = session.image.classes, 12 if session.image.classes else 8
        rows = min(classes, 16) or 8
        rng = torch.Generator().manual_seed(seed_of(session.seed, "grid"))
        latent = torch.randn(rows * columns, session.recipe.generator.latent, generator=rng)
        # more than 16 classes: as many, evenly spaced
        shown = torch.arange(rows) * max(classes, 1) // rows
        return cls(session, latent, shown.repeat_interleave(columns) if classes else None, columns)

    def save(self, average: Average, folder: RunFolder, images_seen: int) -> None:
        sampler = Sampler(average.settled(), self.latent.shape[1], self.session.image)
        save_grid(sampler.draw(self.latent, self.label), folder.sample(images_seen), self.columns)
