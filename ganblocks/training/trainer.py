"""The trainer: owns everything that training changes. Checkpoints, undone steps and rollbacks use its one state dictionary."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
from attrs import frozen
from torch import Tensor

from ganblocks.assembly import Session
from ganblocks.errors import CheckpointError, Diverged
from ganblocks.training.average import Average
from ganblocks.training.block_statistics import BlockStatistics
from ganblocks.training.cadence import Cadences
from ganblocks.training.checkpoint import (
    Checkpoint,
    first_not_finite,
    forget_after,
    latest,
    oldest,
    read_checkpoint,
    save_checkpoint,
)
from ganblocks.training.classes import count_classes, counts_of
from ganblocks.training.diagnosis import where_not_finite
from ganblocks.training.health import Record
from ganblocks.training.reading import refuse_other_types
from ganblocks.training.run_folder import RunFolder
from ganblocks.training.sampler import Sampler
from ganblocks.training.statistics import as_numbers, gammas, sigmas, state_norms
from ganblocks.values import Player


class Clock:
    """Seconds of training, including those of earlier processes."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._started = time.perf_counter() - seconds

    @property
    def seconds(self) -> float:
        """Seconds so far, to the millisecond."""
        return round(time.perf_counter() - self._started, 3)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the seconds of the block."""
        paused = time.perf_counter()
        yield
        self._started += time.perf_counter() - paused


@frozen(eq=False)
class _StepStart:
    """Where the latest step began: for its diagnosis, and to undo it."""

    drawn: Mapping[Player, int]
    turns: Mapping[Player, int]
    state: Mapping[str, Any] | None
    """A copy of the trainer's state; None if steps are never undone."""


class Trainer:
    """Trains a session one step at a time.

    Args:
        session: an assembled recipe; the trainer continues from its state.
    """

    def __init__(self, session: Session) -> None:
        self.session, self.game, self.updater, self.batches = session, session.game, session.updater, session.batches
        settings = session.recipe.average
        generator = self.game.networks[Player.GENERATOR]
        self.average = Average(generator, self.batches.representative, settings.decay, settings.start)
        self.clock = Clock()
        self.steps = 0
        """Steps so far, undone ones included."""
        self.rollbacks = 0
        """How often the run was rolled back; it forks the random numbers."""
        self._statistics, self._block_statistics = Cadences.of(session.recipe).statistics, BlockStatistics(session)
        self._start = self._step_start()

    @property
    def images_seen(self) -> int:
        """Real images that the discriminator has seen: the clock of every schedule and cadence."""
        return self.batches.images_seen

    def step(self) -> Record:
        """Run one iteration of the update rule and update the average; return the record of metrics.jsonl.

        Every number of a record must be finite: the health rules take any other for divergence.
        """
        self._start, before, of_blocks = self._step_start(), self.images_seen, dict[str, float]()
        metrics = self.updater.step(self.batches, before) | gammas(self.game)
        self.steps += 1
        self.average.update(self.images_seen)
        metrics |= state_norms(self.game, self.average.network)
        if self._statistics.crossed(before, self.images_seen):
            metrics |= sigmas(self.game)
            of_blocks = self._block_statistics()
        head = {"images": self.images_seen, "step": self.steps, "seconds": self.clock.seconds}
        return head | as_numbers(metrics) | of_blocks

    def error_origin(self) -> str:
        """Return the first thing that was not finite in the latest step, in words; empty if none can be named."""
        return where_not_finite(self.session, self.average.network, self._start.drawn, self._start.turns)

    def undo(self) -> None:
        """Restore the state before the latest step. The step counter and the position in the data are not rewound."""
        assert self._start.state is not None, "steps are undone only where [health] says skip"
        self.load_state_dict({**self._start.state, **self._counters()})

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training changes, as references: counters, and the states of game, average and update rule."""
        states = {"game": self.game.state_dict(), "average": self.average.network.state_dict()}
        return {**self._counters(), **states, "updater": self.updater.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned for an equal recipe."""
        self.game.load_state_dict(state["game"])
        self.average.load_state_dict(state["average"])
        self.updater.load_state_dict(state["updater"])
        self.batches.drawn = {player: state["drawn"][player] for player in self.batches.drawn}
        self.steps, self.rollbacks, self.clock = state["step"], state["rollbacks"], Clock(state["seconds"])
        self.batches.fork(self.rollbacks)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint. Raise CheckpointError if it does not fit the recipe."""
        where = f"the checkpoint at {checkpoint.images_seen:,} images"
        refuse_other_types(where, self.game.state_dict(), checkpoint.game)
        try:
            self.load_state_dict(attrs.asdict(checkpoint, recurse=False))
        except (RuntimeError, LookupError, TypeError, AttributeError, ValueError) as error:
            raise CheckpointError(f"{where} does not fit the recipe: {error}") from error

    def save(self, folder: RunFolder) -> None:
        """Write a checkpoint, after the log up to here is on the disk.

        Raises:
            CheckpointError: the disk is full, read-only or failing.
            Diverged: a number is not finite; nothing is saved.

        """
        folder.flush()
        self.average.settled()
        checkpoint = Checkpoint(**self.state_dict(), metadata=folder.metadata())
        if name := first_not_finite(checkpoint):
            rule = "is not finite; it was not saved, and the checkpoints before are good"
            raise Diverged(f"{checkpoint.images_seen:,} images: {name} {rule}")
        save_checkpoint(folder.checkpoints, checkpoint)

    def roll_back(self, folder: RunFolder, to_oldest: bool) -> None:
        """Restore a checkpoint of the run, drop what was logged and saved after it, and continue with other random numbers."""
        path = (oldest if to_oldest else latest)(folder.path)
        checkpoint = read_checkpoint(path)
        forget_after(path)
        self.restore(attrs.evolve(checkpoint, rollbacks=self.rollbacks + 1, seconds=self.clock.seconds))
        folder.cut(self.steps)

    def sampler(self, weights: str) -> Sampler:
        """Return a sampler of the generator, of its ``"average"`` or a copy of the ``"live"`` one. Sampling changes nothing."""
        live, image = self.game.networks[Player.GENERATOR], self.session.image
        network = self.average.settled() if weights == "average" else copy.deepcopy(live)
        counts = counts_of(count_classes(image, self.batches.images))
        return Sampler(network, self.session.recipe.generator.latent, image, counts)

    def _counters(self) -> dict[str, Any]:
        drawn = {str(player): count for player, count in self.batches.drawn.items()}
        counts = {"images_seen": self.images_seen, "step": self.steps, "drawn": drawn}
        return {**counts, "seconds": self.clock.seconds, "rollbacks": self.rollbacks}

    def _step_start(self) -> _StepStart:
        undoable = self.session.recipe.health.not_finite == "skip"
        state = _copied(self.state_dict()) if undoable else None
        return _StepStart(dict(self.batches.drawn), dict(self.game.turns), state)


def _copied(value: Any) -> Any:
    """Return a nested state with copies of its tensors."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(item) for item in value)
    return value
