"""What becomes of a run that goes wrong: the policies of ``[health]``, and the file in which a run tells what it met."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from attrs import frozen
from torch import Tensor

from ganblocks.assembly import Session
from ganblocks.batches import real_images
from ganblocks.errors import Collapsed, Diverged
from ganblocks.files import write_text
from ganblocks.game import COMPARED, nearest
from ganblocks.training.average import Average
from ganblocks.training.collapse import Alarm, CollapseDetector
from ganblocks.training.diagnosis import where_not_finite
from ganblocks.training.gates import Gate
from ganblocks.training.reading import read_json

NAME = "health.json"
ROLLED_BACK = "rolled back"


@frozen
class RollBack:
    """Go back to a checkpoint, the oldest one that is kept, or the newest."""

    oldest: bool


class Health:
    """Looks at every step of a run, and acts as its recipe says.

    Args:
        session, average: what is trained.
        run: the run folder; what was met is written there.
        records: what the run has logged so far, where it goes on from a checkpoint.
        rollbacks: how often it has gone back.
    """

    def __init__(
        self, session: Session, average: Average, run: Path, records: list[dict[str, Any]] | None = None, rollbacks: int = 0
    ) -> None:
        self.session, self.average, self.run, self.rollbacks = session, average, run, rollbacks
        self.policy = session.recipe.health
        self.restart(records or [])
        session.batches.fork(rollbacks)

    def restart(self, records: list[dict[str, Any]]) -> None:
        """Know these records of the run, and no others."""
        self.lookout = CollapseDetector.new(record for record in records if not record.get("undone"))
        self.skipped = 0
        for record in records:
            self.skipped = self.skipped + 1 if record.get("undone") else 0
        last = records[-1]["step"] if records else 0
        told = read_health(self.run).get("events", [])
        self.events = [event for event in told if event["step"] <= last or event["event"] == ROLLED_BACK]

    def begin(self) -> None:
        """Say before the first step where nothing can tell whether fakes collapse."""
        if self.policy.collapse != "off" and (why := blind(self.session)):
            self._tell({"images": 0, "step": 0}, "blind", f"{why}, so that nothing tells whether fakes collapse")

    def before(self) -> None:
        """Remember what a step may spoil."""
        self._drawn, self._turns = dict(self.session.batches.drawn), dict(self.session.game.turns)
        self._kept = _copied(self._state()) if self.policy.not_finite == "skip" else None

    def after(self, record: dict[str, Any]) -> RollBack | None:
        """Act on the record of a step; one whose step was undone is marked.

        Raises:
            Diverged, Collapsed: the run ends here; the checkpoints that were saved are good.

        """
        wrong = [name for name, value in record.items() if isinstance(value, float) and not math.isfinite(value)]
        if wrong:
            return self._not_finite(record, wrong)
        self.skipped = 0
        alarms = self.lookout.read(record) if self.policy.collapse != "off" else []
        return self._alarm(record, alarms) if alarms else None

    def finish(self, look: Callable[[], list[Gate]]) -> None:
        """Write down what the gated blocks do at the end. The run is saved by now, and no plugin's fault here may end it."""
        try:
            found = [attrs.asdict(gate) | {"words": gate.words()} for gate in look()]
        except Exception as error:
            warnings.warn(f"what the gated blocks do at the end is not known: {type(error).__name__}: {error}", stacklevel=2)
            return
        self._write({"gates": found})

    def _not_finite(self, record: dict[str, Any], wrong: list[str]) -> RollBack | None:
        place = where_not_finite(self.session, self.average.network, self._drawn, self._turns)
        names = ", ".join(wrong[:4]) + (", …" if len(wrong) > 4 else "")
        words = f"not finite: {names}{f'; first of all {place}' if place else ''}"
        if self.policy.not_finite == "skip" and self.skipped < self.policy.skips:
            self.skipped += 1
            record["undone"] = 1
            self._put_back()
            self._tell(record, "skipped", words)
            return None
        if self.policy.not_finite == "rollback" and self.rollbacks < self.policy.rollbacks:
            return self._roll_back(record, words, oldest=False)
        self._tell(record, "stopped", words, warn=False)
        raise Diverged(
            f"step {record['step']} ({record['images']:,} images): {words}; stopped before anything was saved{self._spent()}."
            ' Lower the rates, or use precision = "fp32"'
        )

    def _alarm(self, record: dict[str, Any], alarms: list[Alarm]) -> RollBack | None:
        if self.policy.collapse == "warn":
            for alarm in alarms:
                self._tell(record, alarm.kind, alarm.words)
            return None
        words = "; ".join(f"{alarm.kind}: {alarm.words}" for alarm in alarms)
        if self.policy.collapse == "rollback" and self.rollbacks < self.policy.rollbacks:
            return self._roll_back(record, words, oldest=True)
        self._tell(record, "stopped", words, warn=False)
        raise Collapsed(
            f"step {record['step']} ({record['images']:,} images): {words}{self._spent()}."
            " Lower the discriminator's rate, augment, or add a penalty"
        )

    def _roll_back(self, record: dict[str, Any], words: str, oldest: bool) -> RollBack:
        self.rollbacks += 1
        self._tell(record, ROLLED_BACK, words)
        return RollBack(oldest)

    def _spent(self) -> str:
        if self.skipped:
            return f", after {self.skipped} steps in a row had been undone"
        return f", after {self.rollbacks} rollbacks" if self.rollbacks else ""

    def _tell(self, record: Mapping[str, Any], event: str, words: str, warn: bool = True) -> None:
        met = {"images": record["images"], "step": record["step"], "event": event, "words": words}
        self.events = [*(event for event in self.events if event != met), met]  # again, after a kill: once
        self._write({})
        if warn:
            warnings.warn(f"step {record['step']} ({record['images']:,} images): {event}: {words}", stacklevel=2)

    def _write(self, part: Mapping[str, Any]) -> None:
        """A file that only tells of the run, and is no reason to end it where it cannot be written."""
        try:
            write_text(self.run / NAME, json.dumps({"events": self.events, **part}, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            warnings.warn(f"{self.run / NAME}: cannot be written: {error.strerror or error}", stacklevel=3)

    def _state(self) -> dict[str, Any]:
        """Everything that a step changes, but for how much was drawn: a step that is undone has used its images."""
        return {
            "game": self.session.game.state_dict(),
            "average": self.average.network.state_dict(),
            "updater": self.session.updater.state_dict(),
        }

    def _put_back(self) -> None:
        assert self._kept is not None
        self.session.game.load_state_dict(self._kept["game"])
        self.average.load_state_dict(self._kept["average"])
        self.session.updater.load_state_dict(self._kept["updater"])


def blind(session: Session) -> str:
    """Why real images say nothing of how far fakes should be from each other; empty where they do."""
    batches = session.batches
    if batches.size < 2:
        return "a batch is one image"
    count = len(batches.train)
    places = batches.train[torch.arange(min(count, COMPARED)) * count // min(count, COMPARED)]
    images = real_images(batches.images.read(places), torch.device("cpu"))
    same = len(images) < 2 or not bool(nearest(images, distinct=True))
    return f"the training images are all the same ({count} of them)" if same else ""


def read_health(run: Path) -> dict[str, Any]:
    """What a run met: ``events``, and at its end ``gates``; empty where it has not said anything.

    Raises:
        CheckpointError: the file is not what ganblocks writes.

    """
    found: dict[str, Any] = read_json(run / NAME, _is_health) if os.path.lexists(run / NAME) else {}
    return found


def _is_health(facts: Any) -> bool:
    """Everything that is used of it, of the types that it was written with."""
    counts = all(type(event[part]) is int for event in facts["events"] for part in ("images", "step"))
    texts = [event[part] for event in facts["events"] for part in ("event", "words")]
    return counts and all(isinstance(text, str) for text in (*texts, *(gate["words"] for gate in facts.get("gates", ()))))


def _copied(value: Any) -> Any:
    """A nested state whose tensors are copies."""
    if isinstance(value, Tensor):
        return value.detach().clone(memory_format=torch.preserve_format)
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(item) for item in value)
    return value
