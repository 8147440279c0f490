"""The loop: one page, one clock (real images that the discriminator has consumed)."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from attrs import frozen
from torch import Tensor

from ganblocks.assembly import Session
from ganblocks.errors import CheckpointError, Diverged
from ganblocks.recipe import Recipe
from ganblocks.seeding import seed_of
from ganblocks.training.average import Average
from ganblocks.training.checkpoint import (
    Checkpoint,
    first_not_finite,
    forget_after,
    latest,
    load_checkpoint,
    oldest,
    save_checkpoint,
)
from ganblocks.training.classes import count_classes, counts_of
from ganblocks.training.gates import Gate, beside, gates
from ganblocks.training.health import Health, RollBack
from ganblocks.training.pictures import save_grid
from ganblocks.training.run_folder import RunFolder
from ganblocks.training.sampler import Sampler
from ganblocks.training.statistics import as_numbers, gammas, sigmas, state_norms
from ganblocks.training.stopping import Stop
from ganblocks.values import Player

Watch = Callable[[dict[str, Any]], None]
"""Called with every record of metrics.jsonl, for a live display."""
GRID_ROWS = 16
"""Classes of which a grid has a row."""
SEEN = 16
"""Images on which gated blocks are looked at when a run ends."""


class Scorer(Protocol):
    """Scores a generator while it is trained."""

    def prepare(self) -> None:
        """Raise, before the first step of a new run, what is known by then to be impossible."""

    def __call__(self, sampler: Sampler, images_seen: int) -> None:
        """Score a generator that has seen so many images."""

    def forget(self, images_seen: int) -> None:
        """Drop what was said of later moments: the run comes to them again, and perhaps on another way."""


class NoScorer(Scorer):
    """Scores nothing."""

    def prepare(self) -> None:
        pass

    def __call__(self, sampler: Sampler, images_seen: int) -> None:
        pass

    def forget(self, images_seen: int) -> None:
        pass


class Cadence:
    """True whenever a count crosses a multiple of ``every``."""

    def __init__(self, every: int) -> None:
        self.every = every

    def crossed(self, before: int, now: int) -> bool:
        return before // self.every != now // self.every


class Cadences:
    """When a recipe wants what."""

    def __init__(self, recipe: Recipe) -> None:
        settings, evaluation = recipe.training, recipe.evaluation
        self.samples = Cadence(settings.samples_every or tenth(settings.images))
        self.checkpoints = Cadence(settings.checkpoint_every or tenth(settings.images))
        self.statistics = Cadence(settings.statistics_every or max(settings.images // 100, 1))
        self.scores = Cadence((evaluation and evaluation.every) or settings.images)


def train(
    session: Session, folder: RunFolder, stop: Stop, watch: Watch, scorer: Scorer, start: Checkpoint | None = None
) -> None:
    """Play until the images of the recipe are used up, or until somebody asks for a stop; from ``start`` on, if it is given.

    Scores come at the end of a whole run, and on the cadence of ``[evaluation]``; ``seconds`` do not count them. What goes
    wrong is met as ``[health]`` says.
    """
    recipe, batches, due = session.recipe, session.batches, Cadences(session.recipe)
    average = averaging(session)
    evaluation, grid = recipe.evaluation, FixedGrid.of(session)
    if start is not None:
        restore(session, average, start)
        scorer.forget(start.images_seen)
    health = Health(session, average, folder.path, folder.records(), start.rollbacks if start else 0)
    health.begin()
    step, clock = start.step if start else 0, Clock(start.seconds if start else 0.0)
    if start is None:
        grid.save(average, folder, 0)
        if "rollback" in (recipe.health.not_finite, recipe.health.collapse):
            save(session, average, folder, step, clock.seconds)
    while batches.images_seen < recipe.training.images and not stop:
        before = batches.images_seen
        health.before()
        metrics = session.updater.step(batches, before) | gammas(session.game)
        seen, step = batches.images_seen, step + 1
        average.update(seen)
        metrics |= state_norms(session.game, average.network)
        if due.statistics.crossed(before, seen):
            metrics |= sigmas(session.game)
        record = {"images": seen, "step": step, "seconds": clock.seconds, **as_numbers(metrics)}
        try:
            action = health.after(record)
        finally:
            folder.log(record)
        watch(record)
        if action is not None:
            step = go_back(session, average, folder, health, action)
            scorer.forget(batches.images_seen)
            continue
        if due.samples.crossed(before, seen):
            grid.save(average, folder, seen)
        if due.scores.crossed(before, seen) and seen < recipe.training.images and evaluation is not None:
            with clock.paused():
                scorer(sampler_of(session, average, evaluation.weights), seen)
        if due.checkpoints.crossed(before, seen):  # after scores, so that no moment is lost between the two
            save(session, average, folder, step, clock.seconds, health.rollbacks)
    grid.save(average, folder, batches.images_seen)
    save(session, average, folder, step, clock.seconds, health.rollbacks)
    health.finish(lambda: grid.gates(average))
    if evaluation is not None and not stop:
        scorer(sampler_of(session, average, evaluation.weights), batches.images_seen)


class Clock:
    """Seconds of training, those of an earlier process included."""

    def __init__(self, before: float) -> None:
        self._started = time.perf_counter() - before

    @property
    def seconds(self) -> float:
        return round(time.perf_counter() - self._started, 3)

    @contextmanager
    def paused(self) -> Iterator[None]:
        paused = time.perf_counter()
        yield
        self._started += time.perf_counter() - paused


def averaging(session: Session) -> Average:
    """The average of the session's generator, whose batch norms are given latents and labels as fakes have them."""
    settings = session.recipe.average
    return Average(session.game.networks[Player.GENERATOR], session.batches.representative, settings.decay, settings.start)


def sampler_of(session: Session, average: Average, weights: str) -> Sampler:
    """The averaged generator, or a copy of the live one: drawing from it leaves training as it was."""
    live = session.game.networks[Player.GENERATOR]
    network = average.settled() if weights == "average" else copy.deepcopy(live)
    counts = counts_of(count_classes(session.image, session.batches.images))
    return Sampler(network, session.recipe.generator.latent, session.image, counts)


def restore(session: Session, average: Average, checkpoint: Checkpoint) -> None:
    """Make everything that training changes what it was at a checkpoint. Raises CheckpointError where it does not fit."""
    try:
        session.game.load_state_dict(checkpoint.game)
        average.load_state_dict(checkpoint.average)
        session.updater.load_state_dict(checkpoint.updater)
        session.batches.drawn = {player: checkpoint.drawn[player] for player in session.batches.drawn}
    except (RuntimeError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint at {checkpoint.images_seen:,} images is another recipe's: {error}") from error


def save(session: Session, average: Average, folder: RunFolder, step: int, seconds: float, rollbacks: int = 0) -> None:
    """Write a checkpoint, after the metrics up to here are on the disk.

    Raises:
        CheckpointError: it cannot be written.
        Diverged: something in it is not finite; it is not written.

    """
    folder.flush()
    checkpoint = Checkpoint(
        images_seen=session.batches.images_seen,
        step=step,
        drawn={str(player): count for player, count in session.batches.drawn.items()},
        game=session.game.state_dict(),
        average=average.settled().state_dict(),
        updater=session.updater.state_dict(),
        seconds=seconds,
        rollbacks=rollbacks,
        metadata=folder.metadata(),
    )
    if found := first_not_finite(checkpoint):
        raise Diverged(
            f"{checkpoint.images_seen:,} images: {found} is not finite; it was not saved, and what was saved before is good"
        )
    save_checkpoint(folder.checkpoints, checkpoint)


def go_back(session: Session, average: Average, folder: RunFolder, health: Health, action: RollBack) -> int:
    """Restore a checkpoint, forget what came after it, and go on with other random numbers; returns its step."""
    chosen = oldest(folder.path) if action.oldest else latest(folder.path)
    start = load_checkpoint(chosen)
    forget_after(chosen)
    restore(session, average, start)
    folder.cut(start.step)
    health.restart(folder.records())
    session.batches.fork(health.rollbacks)
    return start.step


def tenth(images: int) -> int:
    return max(images // 10, 1)


def shown_classes(classes: int) -> list[int]:
    """The class of each row of a run's grid: all of them, or of more than 16 as many, evenly spaced."""
    rows = min(classes, GRID_ROWS)
    return [row * classes // rows for row in range(rows)]


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
        rows = min(classes, GRID_ROWS) or 8
        rng = torch.Generator().manual_seed(seed_of(session.seed, "grid"))
        latent = torch.randn(rows * columns, session.recipe.generator.latent, generator=rng)
        shown = torch.tensor(shown_classes(classes))
        return cls(session, latent, shown.repeat_interleave(columns) if classes else None, columns)

    def gates(self, average: Average) -> list[Gate]:
        """What the gated blocks of both players do to the first images of the grid."""
        device = self.session.game.device
        latent, label = self.latent[:SEEN].to(device), None if self.label is None else self.label[:SEEN].to(device)
        live, discriminator = (self.session.game.networks[player] for player in (Player.GENERATOR, Player.DISCRIMINATOR))
        generator = average.settled()
        with torch.no_grad():
            image = generator(latent, label).float()
        averaged = [beside(gate, live) for gate in gates("generator", generator, latent, label)]
        return averaged + gates("discriminator", discriminator, image, label)

    def save(self, average: Average, folder: RunFolder, images_seen: int) -> None:
        """Draw the grid of this moment. One that cannot be written is a warning: the next checkpoint tells what is lost."""
        sampler = sampler_of(self.session, average, "average")
        path = folder.sample(images_seen)
        try:
            save_grid(sampler.draw(self.latent, self.label), path, self.columns)
        except OSError as error:
            warnings.warn(f"{path}: cannot be written: {error.strerror or error}; the run goes on without it", stacklevel=2)
