"""Health rules of a run: each record of the log leads to a decision, which the loop carries out. Nothing here trains."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from ganblocks.errors import Collapsed, Diverged
from ganblocks.files import write_text
from ganblocks.recipe.schema import Health
from ganblocks.training.collapse import Alarm, CollapseDetector
from ganblocks.training.reading import read_json

NAME = "health.json"
ROLLED_BACK = "rolled back"
Record = dict[str, Any]
"""A line of metrics.jsonl: ``step``, ``images``, ``seconds``, and numbers by name."""


@frozen
class Continue:
    """Keep the step; ``alarms`` are worth a warning."""

    alarms: tuple[Alarm, ...] = ()


@frozen
class Undo:
    """Restore the state before the step, and continue with the next images."""

    reason: str


@frozen
class RollBack:
    """Restore a checkpoint, the newest or the oldest that is kept, and continue with other random numbers."""

    reason: str
    oldest: bool


@frozen
class Stop:
    """End the run."""

    reason: str
    error: type[Diverged | Collapsed]
    advice: str

    def exception(self, record: Mapping[str, Any]) -> Diverged | Collapsed:
        """Return the error to raise after the step of this record."""
        return self.error(f"step {record['step']} ({record['images']:,} images): {self.reason}{self.advice}")


Decision = Continue | Undo | RollBack | Stop


@define
class HealthMonitor:
    """Reads the records of a run in order and decides after each.

    Its state follows from the log alone, so a resumed run decides as one that was never stopped.
    """

    policy: Health
    detector: CollapseDetector = field(factory=CollapseDetector)
    skipped: int = 0
    """Steps in a row that were undone up to now."""

    @classmethod
    def of_log(cls, policy: Health, records: Iterable[Mapping[str, Any]]) -> HealthMonitor:
        """Return a monitor that has read these records."""
        monitor = cls(policy)
        for record in records:
            monitor.skipped = monitor.skipped + 1 if record.get("undone") else 0
            if not record.get("undone"):
                monitor.detector.read(record)
        return monitor

    def decide(self, record: Mapping[str, Any], rollbacks: int = 0, origin: Callable[[], str] = lambda: "") -> Decision:
        """Return what to do after the step of a record.

        Args:
            record: of the step, as it goes into the log.
            rollbacks: how often the run has been rolled back so far.
            origin: names the first cause of a number that is not finite; called only then.
        """
        if names := [name for name, value in record.items() if isinstance(value, float) and not math.isfinite(value)]:
            shown, first = ", ".join(names[:4]) + (", …" if len(names) > 4 else ""), origin()
            return self._after_not_finite(f"not finite: {shown}{f'; first of all {first}' if first else ''}", rollbacks)
        self.skipped = 0
        alarms = tuple(self.detector.read(record))
        return self._after_alarms(alarms, rollbacks) if alarms and self.policy.collapse != "off" else Continue()

    def _after_not_finite(self, reason: str, rollbacks: int) -> Decision:
        if self.policy.not_finite == "skip" and self.skipped < self.policy.skips:
            self.skipped += 1
            return Undo(reason)
        if self.policy.not_finite == "rollback" and rollbacks < self.policy.rollbacks:
            return RollBack(reason, oldest=False)
        tried = f", after {self.skipped} steps in a row had been undone" if self.skipped else _rollbacks(rollbacks)
        advice = f'; stopped before anything was saved{tried}. Lower the rates, or use precision = "fp32"'
        return Stop(reason, Diverged, advice)

    def _after_alarms(self, alarms: tuple[Alarm, ...], rollbacks: int) -> Decision:
        if self.policy.collapse == "warn":
            return Continue(alarms)
        reason = "; ".join(f"{alarm.kind}: {alarm.message}" for alarm in alarms)
        if self.policy.collapse == "rollback" and rollbacks < self.policy.rollbacks:
            return RollBack(reason, oldest=True)  # the newest checkpoint has most likely collapsed too
        advice = f"{_rollbacks(rollbacks)}. Lower the discriminator's rate, augment, or add a penalty"
        return Stop(reason, Collapsed, advice)


def _rollbacks(count: int) -> str:
    return f", after {count} rollbacks" if count else ""


class HealthFile:
    """The events of a run, and at its end its gated blocks: health.json. A file that cannot be written is a warning."""

    def __init__(self, run: Path, records: list[Record]) -> None:
        self.path = run / NAME
        self.events: list[dict[str, Any]] = read_health(run).get("events", [])
        self.cut(records)

    def cut(self, records: list[Record]) -> None:
        """Drop events after the last record: those steps are repeated. Rollbacks stay."""
        last = records[-1]["step"] if records else 0
        self.events = [event for event in self.events if event["step"] <= last or event["event"] == ROLLED_BACK]

    def add(self, record: Mapping[str, Any], event: str, message: str, warn: bool = True) -> None:
        """Write an event of the record's step, once even if the step is repeated after a kill, and warn of it."""
        entry = {"images": record["images"], "step": record["step"], "event": event, "words": message}
        self.events = [*(event for event in self.events if event != entry), entry]
        self._write({})
        if warn:
            warnings.warn(f"step {record['step']} ({record['images']:,} images): {event}: {message}", stacklevel=2)

    def finish(self, gates: Callable[[], list[dict[str, Any]]]) -> None:
        """Add what the gated blocks do at the end. The run is saved by now, so an error of a plugin here is a warning."""
        try:
            entries = gates()
        except Exception as error:
            warnings.warn(f"gated blocks could not be examined: {type(error).__name__}: {error}", stacklevel=2)
            return
        self._write({"gates": entries})

    def _write(self, part: Mapping[str, Any]) -> None:
        try:
            write_text(self.path, json.dumps({"events": self.events, **part}, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            warnings.warn(f"{self.path}: cannot be written: {error.strerror or error}", stacklevel=3)


def read_health(run: Path) -> dict[str, Any]:
    """Return ``events`` and, after the end of a run, ``gates``; empty if nothing was written.

    Raises:
        CheckpointError: the file is not what ganblocks writes.

    """
    facts: dict[str, Any] = read_json(run / NAME, _is_health) if os.path.lexists(run / NAME) else {}
    return facts


def _is_health(facts: Any) -> bool:
    """Return whether every entry that is used has the type it was written with."""
    counts = all(type(event[part]) is int for event in facts["events"] for part in ("images", "step"))
    gates = facts.get("gates", [])
    texts = [event[part] for event in facts["events"] for part in ("event", "words")]
    texts += [gate[part] for gate in gates for part in ("path", "words")]
    numbers = [gate[part] for gate in gates for part in ("gamma", "change")]
    maps = [gate["map"] for gate in gates if gate.get("map") is not None]
    return counts and all(isinstance(text, str) for text in texts) and all(map(_is_number, numbers)) and all(map(_is_map, maps))


def _is_map(numbers: Any) -> bool:
    """Return whether the numbers of an attention map have the types that they were written with."""
    estimates = [numbers[name] for name in ("query_dependence", "evenness", "distance")]
    estimates += [numbers[name] for name in ("colour_correlation", "nearness_correlation") if numbers[name] is not None]
    whole = all(_is_number(one["mean"]) and (one["margin"] is None or _is_number(one["margin"])) for one in estimates)
    return whole and _is_number(numbers["uniform_distance"]) and all(type(one["n"]) is int for one in estimates)


def _is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)
