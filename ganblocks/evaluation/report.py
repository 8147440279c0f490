"""A report: numbers, the protocol that they follow, and the controls beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from attrs import frozen

from ganblocks.errors import UsageError

SAMPLES, HELD_OUT, NOISE = "samples", "held-out real", "noise"
"""Columns of a report."""
DERIVED = ("id", "no_better_than_noise")
"""What a plain score says beside its fields."""
UNTRAINED = "not trained yet; do not compare"


def id_of(protocol: Mapping[str, str]) -> str:
    """Twelve digits that are equal for equal protocols only."""
    text = json.dumps(dict(protocol), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@frozen
class Score:
    """One number, its protocol, and what the same metric says of real and of meaningless images."""

    name: str
    """Metric and extractor: ``kd[efficientnet-lite0]``."""
    value: float
    protocol: Mapping[str, str]
    """All that the number depends on, beside the weights that were scorer."""
    better: str = ""
    """``higher`` or ``lower``; empty for numbers that only accompany another."""
    held_out: float | None = None
    """The same number for real images that were held out: as good as it gets."""
    noise: float | None = None
    """The same number for images of noise: as bad as it gets."""

    @property
    def id(self) -> str:
        """Twelve digits: numbers of other digits do not compare with this one."""
        return id_of(self.protocol)

    @property
    def no_better_than_noise(self) -> bool | None:
        """Whether images of noise score at least as well; None where that says nothing.

        So it is without noise or a direction, and where the metric does not even rank held-out images above noise.
        """
        if self.noise is None or self.better not in ("higher", "lower"):
            return None
        if self.held_out is not None and not self._beats(self.held_out, self.noise):
            return None
        return not self._beats(self.value, self.noise)

    def _beats(self, one: float, other: float) -> bool:
        return one > other if self.better == "higher" else one < other


@frozen
class Missing:
    """Numbers that could not be had."""

    names: tuple[str, ...]
    """What they would be called: ``is[efficientnet-lite0]``."""
    reason: str
    """Why there are none, and what to do."""
    column: str = SAMPLES
    """Whose they are: the samples', or a control's."""

    def words(self) -> str:
        whose = "" if self.column == SAMPLES else f" of {self.column} images"
        return f"no {', '.join(self.names)}{whose}: {self.reason}"


@frozen
class Report:
    """What one evaluation found."""

    scores: tuple[Score, ...]
    nearest: float | None = None
    """Mean distance of samples to their nearest training image, over that of held-out images: far below 1, it has memorised."""
    images: int = 0
    """Images seen by the weights that were scorer."""
    missing: tuple[Missing, ...] = ()
    """What could not be had, and why."""

    def ids(self) -> set[str]:
        """The protocols of its numbers."""
        return {score.id for score in self.scores}

    def names(self) -> set[str]:
        """The numbers of the samples that it tells of: those that it has, and those that could not be had."""
        missing = (name for each in self.missing if each.column == SAMPLES for name in each.names)
        return {score.name for score in self.scores} | set(missing)

    def untrained(self) -> str:
        """A sentence where the samples score no better than noise does; empty where they score better.

        A metric whose held-out control is missing may rank noise above real images. Where all are like that, the first tells.
        """
        telling = [score for score in self.scores if score.no_better_than_noise is not None]
        telling = [score for score in telling if score.held_out is not None] or telling[:1]
        worse = [score for score in telling if score.no_better_than_noise]
        if not worse:
            return ""
        numbers = "; ".join(f"{score.name} {score.value:.4g}, noise {score.noise:.4g}" for score in worse)
        return f"no better than noise ({numbers}): {UNTRAINED if worse[0] is telling[0] else 'do not compare by it'}"

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        scores = [attrs.asdict(score) | {name: getattr(score, name) for name in DERIVED} for score in self.scores]
        missing = [attrs.asdict(each) | {"names": list(each.names)} for each in self.missing]
        return {"images": self.images, "nearest": self.nearest, "scores": scores, "missing": missing}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Report:
        """The report that :meth:`plain` wrote, now or when nothing was told of missing numbers."""
        scores = (Score(**{key: value for key, value in score.items() if key not in DERIVED}) for score in plain["scores"])
        missing = (Missing(**{**each, "names": tuple(each["names"])}) for each in plain.get("missing", ()))
        return cls(tuple(scores), plain["nearest"], plain["images"], tuple(missing))


def refuse_unlike(reports: Iterable[Report]) -> None:
    """Raise UsageError, naming the first difference, where a number stands in two reports under different protocols."""
    first: dict[str, Score] = {}
    for score in (score for report in reports for score in report.scores):
        other = first.setdefault(score.name, score)
        if score.id != other.id:
            names = sorted(set(other.protocol) | set(score.protocol))
            name = next(name for name in names if other.protocol.get(name) != score.protocol.get(name))
            ours, theirs = (each.protocol.get(name, "nothing") for each in (other, score))
            rule = f"{score.name}: protocols {other.id} and {score.id} do not compare: {name} is {ours!r} and {theirs!r}"
            raise UsageError(f"{rule}; evaluate both alike")
