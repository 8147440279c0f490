"""Looking out for collapse. Nothing but the records of metrics.jsonl is read: a resumed run sees what it saw before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, frozen

MEMORY = 0.98
"""Share of a smoothed number that each step keeps: about 50 steps count."""
PATIENCE = 200
"""Steps before anything is said: a generator's first images are alike."""
COLLAPSED = 0.1
"""Share of the real images' distance to their nearest neighbour below which fakes count as alike."""
SATURATED = 1e-4
"""Share of its largest value so far below which the generator's gradient counts as gone."""


@define
class Smoothed:
    """An exponential mean of a number, right from the first one."""

    total: float = 0.0
    weight: float = 0.0
    highest: float = 0.0
    """The largest value of the mean so far."""

    def add(self, value: float) -> float:
        """The mean with ``value`` in it."""
        self.total = MEMORY * self.total + (1 - MEMORY) * value
        self.weight = MEMORY * self.weight + (1 - MEMORY)
        self.highest = max(self.highest, self.mean)
        return self.mean

    @property
    def mean(self) -> float:
        return self.total / self.weight


@frozen
class Alarm:
    """What was seen: ``kind`` is "collapse" or "saturation"."""

    kind: str
    words: str


@define
class CollapseDetector:
    """Reads records in order; an alarm is given once, and again only after things had become better.

    Fakes collapse where their distance to the nearest other of their batch falls below a tenth of the real images' (a generator
    that is constant, or knows fewer images than a batch has). The discriminator is saturated where the generator's gradient
    falls below a ten thousandth of what it was. Both of means over about 50 steps, from step 200 on. It is a lookout and no
    proof: images that are all different may still be all bad.
    """

    fake: Smoothed
    real: Smoothed
    pull: Smoothed
    steps: int = 0
    given: frozenset[str] = frozenset()
    """Alarms whose reason still holds."""

    @classmethod
    def new(cls, records: Iterable[Mapping[str, Any]] = ()) -> CollapseDetector:
        """One that has read these records."""
        lookout = cls(Smoothed(), Smoothed(), Smoothed())
        for record in records:
            lookout.read(record)
        return lookout

    def read(self, record: Mapping[str, Any]) -> list[Alarm]:
        """The alarms that this record sets off."""
        self.steps += 1
        for name, mean in (("fake/nearest", self.fake), ("real/nearest", self.real), ("generator/gradient_norm", self.pull)):
            alike = name == "real/nearest" and record.get(name) == 0  # one and the same image: no measure of anything
            if record.get(name) is not None and not alike:
                mean.add(record[name])
        alarms = self._alarms() if self.steps >= PATIENCE else []
        fresh = [alarm for alarm in alarms if alarm.kind not in self.given]
        self.given = frozenset(alarm.kind for alarm in alarms)
        return fresh

    def _alarms(self) -> list[Alarm]:
        alarms = []
        if self.fake.weight and self.real.weight and self.fake.mean < COLLAPSED * self.real.mean:
            share = self.fake.mean / self.real.mean
            alarms.append(Alarm("collapse", f"fakes are {share:.1%} as far from their nearest neighbour as real images are"))
        if self.pull.weight and self.pull.mean < SATURATED * self.pull.highest:
            share = self.pull.mean / self.pull.highest
            alarms.append(Alarm("saturation", f"the generator's gradient is {share:.1e} of what it was: it is told nothing"))
        return alarms
