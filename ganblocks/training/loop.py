"""The training loop, and the decisions and outputs around each step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs
from torch import nn

from ganblocks.training.cadence import Cadences
from ganblocks.training.collapse import why_undetectable
from ganblocks.training.examples import Examples
from ganblocks.training.gates import Gate, gates, with_live_gamma
from ganblocks.training.grid import save_samples
from ganblocks.training.health import ROLLED_BACK, Continue, Decision, HealthFile, HealthMonitor, Record, RollBack, Stop, Undo
from ganblocks.training.loggers import RunLog
from ganblocks.training.map_files import moment_of, write_moment
from ganblocks.training.run_folder import RunFolder
from ganblocks.training.sampler import Sampler
from ganblocks.training.stopping import StopRequest
from ganblocks.training.trainer import Trainer
from ganblocks.values import Player

Watch = Callable[[Record], None]
"""Called with every record of metrics.jsonl, for a live display."""


class Scorer(Protocol):
    """Scores a generator during training."""

    def prepare(self) -> None:
        """Raise, before the first step of a new run, if scoring is already known to be impossible."""

    def __call__(self, sampler: Sampler, images_seen: int) -> Mapping[str, float]:
        """Score a generator after so many images; return its numbers by name, none if that failed."""

    def forget(self, images_seen: int) -> None:
        """Drop scores after so many images: the run reaches them again, possibly with other weights."""


class NoScorer(Scorer):
    """Scores nothing."""

    def prepare(self) -> None:
        """Do nothing."""

    def __call__(self, sampler: Sampler, images_seen: int) -> Mapping[str, float]:
        """Return no numbers."""
        return {}

    def forget(self, images_seen: int) -> None:
        """Do nothing."""


def train(trainer: Trainer, folder: RunFolder, stop: StopRequest, watch: Watch, scorer: Scorer, log: RunLog) -> None:
    """Train until the recipe's images are used up or a stop is requested.

    Raise Diverged or Collapsed where ``[health]`` ends the run, CheckpointError where a file cannot be written.
    """
    recipe, outputs = trainer.session.recipe, Outputs(trainer, folder, scorer, log)
    health, events = HealthMonitor.of_log(recipe.health, folder.records()), HealthFile(folder.path, folder.records())
    outputs.begin(events)
    while trainer.images_seen < recipe.training.images and not stop:
        before, record = trainer.images_seen, trainer.step()
        decision = health.decide(record, trainer.rollbacks, trainer.error_origin)
        act(decision, record, trainer, folder, events)
        watch(record)
        log.record(record)
        if isinstance(decision, RollBack):
            health = HealthMonitor.of_log(recipe.health, folder.records())
            outputs.rewind()
        else:
            outputs.write_due(before)
    outputs.finish(events, scored=not stop)


def act(decision: Decision, record: Record, trainer: Trainer, folder: RunFolder, events: HealthFile) -> None:
    """Carry out a decision of the health rules, and log the record of the step."""
    match decision:
        case Continue(alarms):
            for alarm in alarms:
                events.add(record, alarm.kind, alarm.message)
        case Undo(reason):
            record["undone"] = 1
            trainer.undo()
            events.add(record, "skipped", reason)
        case RollBack(reason):
            events.add(record, ROLLED_BACK, reason)
        case Stop(reason):
            events.add(record, "stopped", reason, warn=False)
    folder.log(record)
    if isinstance(decision, Stop):
        raise decision.exception(record)
    if isinstance(decision, RollBack):
        trainer.roll_back(folder, decision.oldest)
        events.cut(folder.records())


class Outputs:
    """What a run writes beside its log, each on its own cadence: sample grids, scores and checkpoints."""

    def __init__(self, trainer: Trainer, folder: RunFolder, scorer: Scorer, log: RunLog) -> None:
        self.trainer, self.folder, self.scorer, self.log = trainer, folder, scorer, log
        self.recipe = trainer.session.recipe
        self.examples, self.due = Examples.of(trainer.session), Cadences.of(self.recipe)

    def begin(self, events: HealthFile) -> None:
        """Write the grid of a new run, and a checkpoint if the run may be rolled back to it."""
        policy = self.recipe.health
        if policy.collapse != "off" and (reason := why_undetectable(self.trainer.batches)):
            events.add({"images": 0, "step": 0}, "blind", f"{reason}, so collapse cannot be detected")
        if self.trainer.steps == 0:
            self._draw()
            if "rollback" in (policy.not_finite, policy.collapse):
                self.trainer.save(self.folder)

    def write_due(self, before: int) -> None:
        """Write what is due since ``before`` images. The checkpoint comes last, so that no score is lost between the two."""
        seen = self.trainer.images_seen
        if self.due.samples.crossed(before, seen):
            self._draw()
        if self.due.scores.crossed(before, seen) and seen < self.recipe.training.images:
            self._score()
        if self.due.checkpoints.crossed(before, seen):
            self.trainer.save(self.folder)

    def finish(self, events: HealthFile, scored: bool) -> None:
        """Write the last grid, checkpoint and gated blocks; then score, if the run was not stopped early."""
        self._draw()
        self.trainer.save(self.folder)
        events.finish(self._gates)
        if scored:
            self._score()

    def _draw(self) -> None:
        """Write the grid, and the attention maps of some of its samples and of real images."""
        seen = self.trainer.images_seen
        self.log.grid(save_samples(self.examples.grid, self.trainer.sampler("average"), self.folder.sample(seen)), seen)
        try:
            write_moment(self.folder.path, moment_of(seen, self._examined(), self.examples))
        except Exception as error:  # of a plugin's block: the training is worth more
            warnings.warn(f"attention maps cannot be written: {type(error).__name__}: {error}", stacklevel=2)

    def _examined(self) -> dict[Player, nn.Module]:
        """Return the networks whose blocks are examined: the averaged generator and the discriminator."""
        return {**self.trainer.game.networks, Player.GENERATOR: self.trainer.average.settled()}

    def _gates(self) -> list[dict[str, Any]]:
        """Return the gated blocks as health.json keeps them."""
        blocks = list[Gate]()
        for player, network in self._examined().items():
            live, examined = self.trainer.game.networks[player], gates(str(player), network, *self.examples.measured(player))
            blocks += examined if network is live else [with_live_gamma(gate, live) for gate in examined]
        return [attrs.asdict(gate) | {"words": gate.summary()} for gate in blocks]

    def rewind(self) -> None:
        """Drop what was shown and scored after the checkpoint to which the run was rolled back."""
        self.scorer.forget(self.trainer.images_seen)
        self.log.rewind(self.trainer.images_seen)

    def _score(self) -> None:
        if self.recipe.evaluation is not None:
            with self.trainer.clock.paused():
                numbers = self.scorer(self.trainer.sampler(self.recipe.evaluation.weights), self.trainer.images_seen)
            self.log.scores(numbers, self.trainer.images_seen)
