"""Detection of mode collapse from the records of metrics.jsonl alone, so that a resumed run detects what it would have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from attrs import define, field, frozen

from ganblocks.batches import Batches, from_bytes
from ganblocks.diversity import MAX_COMPARED, nearest_distance

MEMORY = 0.98
"""Share of a smoothed number that each step keeps: about 50 steps count."""
PATIENCE = 200
"""Steps before the first alarm: a generator's first images are alike."""
COLLAPSED = 0.1
"""Fakes have collapsed below this share of the real images' distance to their nearest neighbour."""
SATURATED = 1e-4
"""The generator's gradient has vanished below this share of its largest value so far."""


@define
class Smoothed:
    """An exponential moving average, bias-corrected from the first value on."""

    total: float = 0.0
    weight: float = 0.0
    highest: float = 0.0
    """The largest mean so far."""

    def add(self, value: float) -> float:
        """Add a value and return the new mean."""
        self.total = MEMORY * self.total + (1 - MEMORY) * value
        self.weight = MEMORY * self.weight + (1 - MEMORY)
        self.highest = max(self.highest, self.mean)
        return self.mean

    @property
    def mean(self) -> float:
        """The bias-corrected mean of the values so far."""
        return self.total / self.weight


@frozen
class Alarm:
    """A problem that was detected; ``kind`` is "collapse" or "saturation"."""

    kind: str
    message: str


@define
class CollapseDetector:
    """Reads records in order and raises each alarm once, and again only after the problem had gone.

    Fakes have collapsed when their distance to the nearest other of their batch falls below a tenth of the real images' (the
    generator is constant, or makes fewer images than a batch has). The discriminator is saturated when the generator's gradient
    falls below a ten thousandth of its largest value. Both compare means over about 50 steps, from step 200 on. No alarm is no
    proof of health: images may differ from each other and all be bad.
    """

    fake: Smoothed = field(factory=Smoothed)
    real: Smoothed = field(factory=Smoothed)
    gradient: Smoothed = field(factory=Smoothed)
    steps: int = 0
    active: frozenset[str] = frozenset()
    """Kinds of alarms whose cause still holds."""

    def read(self, record: Mapping[str, Any]) -> list[Alarm]:
        """Read one record and return the alarms that it sets off."""
        self.steps += 1
        for name, mean in (
            ("fake/nearest", self.fake),
            ("real/nearest", self.real),
            ("generator/gradient_norm", self.gradient),
        ):
            all_equal = name == "real/nearest" and record.get(name) == 0  # a batch of one image's copies is no reference
            if record.get(name) is not None and not all_equal:
                mean.add(record[name])
        alarms = self._alarms() if self.steps >= PATIENCE else []
        new = [alarm for alarm in alarms if alarm.kind not in self.active]
        self.active = frozenset(alarm.kind for alarm in alarms)
        return new

    def _alarms(self) -> list[Alarm]:
        alarms = []
        if self.fake.weight and self.real.weight and self.fake.mean < COLLAPSED * self.real.mean:
            share = self.fake.mean / self.real.mean
            alarms.append(Alarm("collapse", f"fakes are {share:.1%} as far from their nearest neighbour as real images are"))
        if self.gradient.weight and self.gradient.mean < SATURATED * self.gradient.highest:
            share = self.gradient.mean / self.gradient.highest
            alarms.append(Alarm("saturation", f"the generator's gradient has fallen to {share:.1e} of its largest value"))
        return alarms


def why_undetectable(batches: Batches) -> str:
    """Return why collapse cannot be detected with these batches; empty if it can."""
    if batches.size < 2:
        return "a batch is one image"
    count = len(batches.train)
    indices = batches.train[torch.arange(min(count, MAX_COMPARED)) * count // min(count, MAX_COMPARED)]
    images = from_bytes(batches.images.read(indices), torch.device("cpu"))
    if len(images) >= 2 and bool(nearest_distance(images, skip_duplicates=True)):
        return ""
    return f"the training images are all the same ({count} of them)"
